import { describe, expect, it } from 'vitest';
import type { Answer, AskOptions } from '../shell/ask.ts';
import { askStateAtRound } from './state-at-round.ts';

const { signal } = new AbortController();
const END_MS = Date.parse('2026-11-27T07:12:38.120Z');
const ended = (seq: number, timestamp: string) => ({ seq, event: { timestamp } });

/** Asks for a round that ended near seq 40. Returns the `at` that the state was asked for. */
async function askedAt(events: Answer<unknown>): Promise<unknown> {
  const asked: AskOptions[] = [];
  const ask = async <Body>(path: string, options: AskOptions) => {
    asked.push(options);
    return (path.endsWith('/events') ? events : { kind: 'ok', body: {} }) as Answer<Body>;
  };
  await askStateAtRound({ key: 'c1/r/A', end: { seq: 40, beforeSeq: 90, atMs: END_MS }, ask }, signal);
  expect(asked[0]!.query).toEqual({ type: 'BATCH_EPOCH_COMPLETED', before: 90, limit: 20 });
  return asked[1]!.query?.at;
}

describe('the state at a round', () => {
  it('is that as of the event which ended it', async () => {
    const events = [
      ended(38, '2026-11-27T07:12:30Z'),
      ended(43, '2026-11-27T07:12:38.120000+00:00'),
      ended(60, '2026-11-27T07:12:50Z'),
    ];
    expect(await askedAt({ kind: 'ok', body: { events } })).toBe(43);
  });

  it('is one near it where the event is not found', async () => {
    expect(await askedAt({ kind: 'ok', body: { events: [] } })).toBe(40);
    expect(await askedAt({ kind: 'away' })).toBe(40);
  });
});
