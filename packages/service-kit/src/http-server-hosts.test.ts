import { describe, expect, it } from 'vitest';
import { answeredHostsOf, hostFault } from './http-server-hosts.ts';

/** A request as Node gives it. */
const request = (of: { hosts?: readonly string[]; url?: string; httpVersion?: string }) => {
  const { hosts = ['localhost'], url = '/', httpVersion = '1.1' } = of;
  const [host] = hosts;
  return {
    ...{ url, httpVersion, headers: host === undefined ? {} : { host } },
    rawHeaders: ['X-Other', 'Host', ...hosts.flatMap((each) => ['Host', each])],
  };
};

const loopbackOnly = answeredHostsOf({
  ...{ boundTo: '127.0.0.1', keysFile: undefined, isOpenOnPurpose: false, allowedOrigins: [] },
});

describe('a service that is open on loopback', () => {
  it.each([
    'localhost',
    'localhost:8080',
    'LOCALHOST:1',
    'run.localhost',
    'a.b.localhost:80',
    '127.0.0.1',
    '127.0.0.1:8080',
    '127.1.2.3',
    '[::1]',
    '[::1]:8080',
    '[0:0:0:0:0:0:0:1]:80',
    '[::ffff:127.0.0.1]:8080',
    '[::FFFF:7f00:1]',
  ])('answers the host %s', (host) => {
    expect(hostFault(request({ hosts: [host] }), loopbackOnly)).toBeNull();
  });

  it.each([
    'evil.example',
    'evil.example:8080',
    '127.0.0.1.evil.example',
    'localhost.evil',
    'localhost.evil:80',
    'notlocalhost',
    'evil-localhost',
    '.localhost.evil',
    '0x7f.1',
    '127.1',
    '0177.0.0.1',
    '2130706433',
    '0.0.0.0',
    '192.168.1.4',
    '128.0.0.1',
    '[::]',
    '[::2]',
    '[::ffff:10.0.0.1]',
    '[fe80::1]',
    '[::1',
    '::1',
    '[::1]evil.example',
    '[::1]:8080.evil.example',
    '127.0.0.1:80:80',
    '127.0.0.1@evil.example',
    'evil.example#localhost',
    'localhost, evil.example',
    'localhost evil.example',
    '127.0.0.1:evil',
    '',
  ])('answers 421 to the host "%s"', (host) => {
    const fault = hostFault(request({ hosts: [host] }), loopbackOnly);
    expect(fault?.code).toBe('misdirected');
    expect(fault?.message).toContain(host === '' ? 'names no host' : `"${host}"`);
  });

  it('answers 421 to HTTP/1.0 without a host, which no health check on the same machine need send', () => {
    expect(hostFault(request({ hosts: [], httpVersion: '1.0' }), loopbackOnly)?.code).toBe('misdirected');
  });

  it('looks at the host of an absolute target too, which takes precedence', () => {
    const of = (url: string) => hostFault(request({ url }), loopbackOnly)?.code ?? 'answered';
    expect(of('http://127.0.0.1:8080/v1/runs')).toBe('answered');
    expect(of('http://evil.example/v1/runs')).toBe('misdirected');
    expect(of('HTTP://evil.example')).toBe('misdirected');
    expect(of('http://localhost@evil.example/')).toBe('misdirected');
    expect(of('/path?at=http://evil.example/')).toBe('answered');
  });

  it('names the host in print that cannot harm a terminal, and not without end', () => {
    const fault = hostFault(request({ hosts: [`\u001b[31m${'x'.repeat(10_000)}`] }), loopbackOnly);
    expect(fault?.message).not.toContain('\u001b');
    expect(fault?.message.length).toBeLessThan(400);
  });

  it('answers the hosts of allowed origins too, under any port, because a proxy passes them on', () => {
    const answered = answeredHostsOf({
      ...{ boundTo: 'localhost', keysFile: undefined, isOpenOnPurpose: false },
      allowedOrigins: ['*', 'https://board.example', 'http://[fd00::7]:81'],
    });
    const of = (host: string) => hostFault(request({ hosts: [host] }), answered)?.code ?? 'answered';
    expect(of('Board.example:8443')).toBe('answered');
    expect(of('[fd00::7]')).toBe('answered');
    expect(of('localhost')).toBe('answered');
    expect(of('evil.board.example')).toBe('misdirected');
    expect(of('evil.example')).toBe('misdirected');
  });
});

describe('any host is answered', () => {
  const service = { boundTo: '127.0.0.1', keysFile: undefined, isOpenOnPurpose: false, allowedOrigins: [] };
  it.each([
    ['with keys', { ...service, keysFile: 'keys.json' }],
    ['if the service is open on purpose', { ...service, isOpenOnPurpose: true }],
    ['if it listens on other addresses', { ...service, boundTo: '0.0.0.0' }],
  ])('%s', (_when, options) => {
    expect(hostFault(request({ hosts: ['evil.example'] }), answeredHostsOf(options))).toBeNull();
  });

  it.each([
    ['two hosts', { hosts: ['localhost', 'localhost'] }],
    ['none, as HTTP/1.1 requires one', { hosts: [] }],
  ])('but not %s', (_what, of) => {
    expect(hostFault(request(of), null)?.code).toBe('bad_request');
    expect(hostFault(request(of), loopbackOnly)?.code).toBe('bad_request');
  });
});
