import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { EmbeddedIngest } from '../support/embedded-ingest.ts';
import { makeKeyFile, type TestKeyFile } from '../support/key-file.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function start(): Promise<{ ingest: EmbeddedIngest; keys: TestKeyFile }> {
  const keys = await makeKeyFile();
  const ingest = await EmbeddedIngest.start({ RUNLOG_KEYS_FILE: keys.path });
  open.push(keys, ingest);
  return { ingest, keys };
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

describe('publishing when keys are required', () => {
  it("requires a key that may publish, and goes only to that key's cluster", async () => {
    const { ingest, keys } = await start();
    const c1 = await keys.add('c1', { role: 'publish', cluster: 'c1' });
    const view = await keys.add('ops', { role: 'view', runs: ['*'] });
    // Once the key that was added last is known, all are.
    await expect.poll(async () => (await ingest.post({ headers: bearer(view) })).status).toBe(403);
    expect((await ingest.post({ headers: bearer(c1) })).status).toBe(200);
    expect((await ingest.post({ headers: { ...bearer(c1), 'x-cluster-id': 'c1' } })).status).toBe(200);
    for (const [headers, status, code] of [
      [{}, 401, 'unauthorized'],
      [bearer('nonsense'), 401, 'unauthorized'],
      [{ authorization: `Basic ${btoa('a:b')}` }, 401, 'unauthorized'],
      [bearer(view), 403, 'forbidden'],
      [{ ...bearer(c1), 'x-cluster-id': 'c2' }, 403, 'forbidden'],
    ] as const) {
      const response = await ingest.post({ headers });
      expect([response.status, await response.json()]).toMatchObject([status, { error: { code } }]);
      const challenge = response.headers.get('www-authenticate');
      expect(challenge).toBe(status === 401 ? 'Bearer realm="runlog"' : null);
    }
    expect((await ingest.events()).map((record) => record.key)).toEqual(['c1/r1/default', 'c1/r1/default']);
    for (const path of ['/livez', '/readyz', '/'])
      expect((await fetch(`${ingest.url}${path}`)).status).toBe(200);
  });

  it('accepts a new key and refuses a revoked one without a restart', async () => {
    const { ingest, keys } = await start();
    const first = await keys.add('first', { role: 'publish', cluster: 'c1' });
    await expect.poll(async () => (await ingest.post({ headers: bearer(first) })).status).toBe(200);
    const second = await keys.add('second', { role: 'publish', cluster: 'c1' });
    await keys.revoke('first');
    await expect.poll(async () => (await ingest.post({ headers: bearer(first) })).status).toBe(401);
    expect((await ingest.post({ headers: bearer(second) })).status).toBe(200);
  });

  it('answers before the body arrives', async () => {
    const { ingest } = await start();
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(ingest.url).port) });
    await once(socket, 'connect');
    const head = 'POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
    socket.write(`${head}content-length: 1000\r\n\r\n`);
    let answered = '';
    socket.on('data', (data: Buffer) => {
      answered += data.toString();
    });
    const statuses = () => [...answered.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status);
    await expect.poll(statuses).toEqual(['401']);
    // Bytes that still arrive are discarded, and the connection can be used again.
    socket.write('x'.repeat(1000));
    socket.write(`${head}content-length: 2\r\n\r\n[]`);
    await expect.poll(statuses).toEqual(['401', '401']);
    socket.destroy();
  });

  it('ends a connection whose sender keeps sending for ever after a refusal', async () => {
    const { ingest } = await start();
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(ingest.url).port) });
    await once(socket, 'connect');
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined).resume();
    socket.write('POST /v1/events HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n');
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    let sent = 0;
    while (!socket.destroyed && sent < 64 * 1024 * 1024) {
      sent += chunk.length;
      if (!socket.write(chunk))
        await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed]);
    }
    await closed;
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  it('keeps with a rejected event whose key sent it', async () => {
    const { ingest, keys } = await start();
    const c1 = await keys.add('c1-ingest', { role: 'publish', cluster: 'c1' });
    await expect
      .poll(async () => (await ingest.post({ headers: bearer(c1), body: '{"event_id":"x"}' })).status)
      .toBe(422);
    await expect
      .poll(async () => (await ingest.rejected()).map((record) => [record.key, record.headers.key_id]))
      .toEqual([['c1', 'c1-ingest']]);
  });
});
