import { isIPv6 } from 'node:net';

const SCHEME = /^[A-Za-z][A-Za-z0-9+._-]*:\/\//;
const ADDRESS = /^(?:\[(?<v6>[^[\]]+)\]|[^\s:/@[\]]+):(?<port>\d{1,5})$/;
const PORT_MAX = 65_535;

/** Takes `host:port` apart. An IPv6 address is written in brackets, `[::1]:9092`, and is without them afterwards. */
export function splitAddress(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  const host = (at < 0 ? address : address.slice(0, at)).replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(address.slice(at + 1)) };
}

/** The other way round. */
export function addressOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Says why an address cannot be meant, to go on after it, or returns null. */
export function addressFault(text: string): string | null {
  const { v6, port } = ADDRESS.exec(text)?.groups ?? {};
  if (port !== undefined && (v6 === undefined || isIPv6(v6))) {
    return Number(port) >= 1 && Number(port) <= PORT_MAX ? null : `a port is a number from 1 to ${PORT_MAX}`;
  }
  const scheme = SCHEME.exec(text)?.[0];
  if (scheme !== undefined) return `leave out ${scheme}, it is host:port`;
  if (isIPv6(text) || isIPv6(text.replace(/:\d{1,5}$/, ''))) {
    return 'an IPv6 address goes in brackets, such as [::1]:9092';
  }
  return text.includes(':') ? 'it is not host:port' : `it has no port, such as ${text}:9092`;
}
