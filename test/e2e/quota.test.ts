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
  it('of events admits one body whole, then answers 429 until the time that Retry-After names', async () => {
    const { ingest, post } = await startWith({ events_per_second: 200 });
    // A body that comes more than four seconds later, which is what the previous one costs, is also admitted whole.
    let taken = 0;
    let refused = await post('limited', bodyOf(BODY_EVENTS_MAX));
    for (; refused.status === 200; taken += 1) refused = await post('limited', bodyOf(BODY_EVENTS_MAX));
    const waitUntilMs = performance.now() + Number(refused.headers.get('retry-after')) * 1_000;
    expect(taken).toBeGreaterThanOrEqual(1);
    expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toMatchObject([
      429,
      // The bucket owes 800, so it lacks 801. That is 4.005 s, less the time since the body was judged.
      expect.stringMatching(/^[1-5]$/),
      { error: { code: 'quota_exceeded' } },
    ]);
    expect((await post('other', bodyOf(BODY_EVENTS_MAX))).status).toBe(200);
    await expect.poll(() => performance.now()).toBeGreaterThanOrEqual(waitUntilMs);
    expect((await post('limited', bodyOf(BODY_EVENTS_MAX))).status).toBe(200);
    expect(await ingest.events()).toHaveLength((taken + 2) * BODY_EVENTS_MAX);
  });

  it('of few events is spent by few events', async () => {
    const { post } = await startWith({ events_per_second: 1 });
    expect((await post('limited', bodyOf(30))).status).toBe(200);
    const refused = await post('limited', bodyOf(1));
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(5);
  });

  it('of bytes is checked before the body is read', async () => {
    const { ingest, post } = await startWith({ bytes_per_second: 100_000 });
    const large = noteText({ message: 'x'.repeat(200_000) });
    const body = Array.from({ length: 15 }, () => large).join('\n');
    expect((await post('limited', body)).status).toBe(200);
    const refused = await post('limited', body);
    expect(refused.status).toBe(429);
    const waitSeconds = Number(refused.headers.get('retry-after'));
    expect(waitSeconds).toBeGreaterThan(10);
    expect(waitSeconds).toBeLessThanOrEqual(30);
    expect(await ingest.events()).toHaveLength(15);
  });
});
