import { BODY_EVENTS_MAX } from '@runlog/schema/limits';
import { afterEach, describe, expect, it } from 'vitest';
import { EmbeddedIngest, noteText } from '../support/embedded-ingest.ts';
import { makeKeyFile } from '../support/key-file.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function startWith(rates: { events_per_second?: number; bytes_per_second?: number }) {
  const keys = await makeKeyFile();
  const secrets = {
    limited: await keys.add('limited', { role: 'publish', cluster: 'c1', ...rates }),
    other: await keys.add('other', { role: 'publish', cluster: 'c2' }),
  };
  const ingest = await EmbeddedIngest.start({ RUNLOG_KEYS_FILE: keys.path });
  open.push(keys, ingest);
  const post = (key: keyof typeof secrets, body: string) =>
    ingest.post({ headers: { authorization: `Bearer ${secrets[key]}` }, body });
  return { ingest, post };
}

const bodyOf = (events: number) => Array.from({ length: events }, () => noteText()).join('\n');

describe('a quota', () => {
  it('of events lets one burst through, then answers 429 until the time that Retry-After says', async () => {
    const { ingest, post } = await startWith({ events_per_second: 25 });
    expect((await post('limited', bodyOf(BODY_EVENTS_MAX))).status).toBe(200);
    const startMs = performance.now();
    const refused = await post('limited', bodyOf(100));
    expect([refused.status, await refused.json()]).toMatchObject([
      429,
      { error: { code: 'quota_exceeded' } },
    ]);
    const waitMs = Number(refused.headers.get('retry-after')) * 1_000;
    expect(waitMs).toBeGreaterThanOrEqual(1_000);
    expect(waitMs).toBeLessThanOrEqual(4_000);
    expect((await post('other', bodyOf(BODY_EVENTS_MAX))).status).toBe(200);
    await expect
      .poll(() => performance.now() - startMs, { timeout: 5_000, interval: 20 })
      .toBeGreaterThanOrEqual(waitMs);
    expect((await post('limited', bodyOf(100))).status).toBe(200);
    expect(await ingest.events()).toHaveLength(2 * BODY_EVENTS_MAX + 100);
  });

  it('of bytes is asked before the body is read', async () => {
    const { ingest, post } = await startWith({ bytes_per_second: 100_000 });
    const large = noteText({ message: 'x'.repeat(200_000) });
    const body = Array.from({ length: 15 }, () => large).join('\n');
    expect((await post('limited', body)).status).toBe(200);
    const refused = await post('limited', body);
    expect(refused.status).toBe(429);
    const waitSeconds = Number(refused.headers.get('retry-after'));
    expect(waitSeconds).toBeGreaterThan(10);
    expect(waitSeconds).toBeLessThanOrEqual(19);
    expect(await ingest.events()).toHaveLength(15);
  });
});
