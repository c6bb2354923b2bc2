import type { IncomingMessage } from 'node:http';
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { HttpFaultCode } from '@runlog/schema/faults';
import { isLoopback } from './loopback.ts';
import { printable } from './printable.ts';

/**
 * The names that a request may use for the service in its `Host`. Null means any name. A list holds names besides the
 * loopback ones, which are always answered.
 */
export type AnsweredHosts = readonly string[] | null;

/**
 * Returns the hosts that a service answers.
 *
 * A service that is open and listens on loopback relies on nobody else reaching it. A web page elsewhere can: its owner
 * lets the page's own name resolve to 127.0.0.1, and the browser takes the service for the page's own server (DNS
 * rebinding). Such a request still names the page's host, so only loopback names are answered, and those of allowed
 * origins, which a proxy on this machine may pass on. There is no such check with keys, because that page has none. There
 * is none either if the service is open on purpose or listens on other addresses: anyone may reach it then, under names
 * that it cannot know.
 */
export function answeredHostsOf(service: {
  boundTo: string;
  keysFile: string | undefined;
  isOpenOnPurpose: boolean;
  allowedOrigins: readonly string[];
}): AnsweredHosts {
  if (service.keysFile !== undefined || service.isOpenOnPurpose || !isLoopback(service.boundTo)) return null;
  return service.allowedOrigins.filter((origin) => origin !== '*').map((origin) => new URL(origin).hostname);
}

/** Returns the fault to answer a request with if it is not for this service; null if it is. */
export function hostFault(
  request: Pick<IncomingMessage, 'httpVersion' | 'rawHeaders' | 'headers' | 'url'>,
  answered: AnsweredHosts,
): { code: HttpFaultCode; message: string } | null {
  const { host } = request.headers;
  if (host === undefined && request.httpVersion === '1.1') {
    return { code: 'bad_request', message: 'a request of HTTP/1.1 needs a Host' };
  }
  // Node keeps the first of several, and a proxy may have looked at another one.
  const hosts = request.rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host');
  if (hosts.length > 1) return { code: 'bad_request', message: 'a request may have only one Host' };
  if (answered === null) return null;
  // A target such as http://name/path names the host too, and takes precedence.
  const inTarget = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(request.url ?? '')?.[1];
  const foreign = [host ?? '', ...(inTarget === undefined ? [] : [inTarget])].find(
    (each) => !isAnswered(each, answered),
  );
  if (foreign === undefined) return null;
  const said =
    foreign === '' ? 'a request that names no host' : `the host "${printable(foreign).slice(0, 100)}"`;
  return {
    code: 'misdirected',
    message:
      `without keys this service answers only to localhost and loopback addresses, not to ${said}: ` +
      'set RUNLOG_KEYS_FILE, or name the origin that browsers see in RUNLOG_ALLOWED_ORIGINS',
  };
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');
loopback.addSubnet('::ffff:127.0.0.0', 104, 'ipv6');

/** Any port will do, because a name decides who owns a page. */
function isAnswered(host: string, answered: readonly string[]): boolean {
  const name = /^(\[[\da-f:.]+\]|[^:[\]]*)(?::\d*)?$/i.exec(host)?.[1]?.toLowerCase();
  if (name === undefined) return false;
  if (name === 'localhost' || name.endsWith('.localhost') || answered.includes(name)) return true;
  if (isIPv4(name)) return loopback.check(name, 'ipv4');
  const inBrackets = name.startsWith('[') ? name.slice(1, -1) : '';
  return isIPv6(inBrackets) && loopback.check(inBrackets, 'ipv6');
}
