import type { EventsPage, StoredEvent } from '@runlog/schema/http/gateway-api';
import { describe, expect, it } from 'vitest';
import type { Answer, AskOptions } from '../shell/ask.ts';
import { readBeside, readEvent } from './read-event.ts';

const { signal } = new AbortController();
const entry = { metadata: {}, values: {} } as StoredEvent['entry'];
const event = (seq: number, overrides: Partial<StoredEvent> = {}): StoredEvent => ({
  ...{ seq, received_at: null, entry, event: {}, duplicate: false },
  ...overrides,
});
const page = (events: StoredEvent[], overrides: Partial<EventsPage> = {}): Answer<EventsPage> => ({
  kind: 'ok',
  body: { events, next: null, position: { epoch: 'e', seq: 100 }, oldest: 10, ...overrides },
});

/** Answers with one page after the other, and keeps what it was asked. */
function pages(...answers: Answer<EventsPage>[]) {
  const asked: AskOptions['query'][] = [];
  const ask = async (query: NonNullable<AskOptions['query']>) => {
    asked.push(query);
    return answers[Math.min(asked.length, answers.length) - 1]!;
  };
  return { ask, asked };
}

describe('an event that is read', () => {
  it('is the one of its seq', async () => {
    const { ask, asked } = pages(page([event(41)]));
    expect(await readEvent({ seq: 41, ask }, signal)).toMatchObject({
      body: { kind: 'event', event: { seq: 41 } },
    });
    expect(asked).toEqual([{ after: 40, limit: 1 }]);
  });

  it.each([
    [9, 'gone'],
    [101, 'not_yet'],
    [41, 'not_here'],
  ])('of seq %d may be missing: %s', async (seq, why) => {
    const { ask } = pages(page([event(42)]));
    expect(await readEvent({ seq, ask }, signal)).toEqual({ kind: 'ok', body: { kind: 'none', why } });
  });

  it('fails as the gateway does', async () => {
    const { ask } = pages({ kind: 'away' });
    expect(await readEvent({ seq: 1, ask }, signal)).toEqual({ kind: 'away' });
    expect(await readBeside({ seq: 1, to: 'after', query: {}, ask }, signal)).toEqual({ kind: 'away' });
  });
});

describe('the event beside another', () => {
  it('is the nearest one that is no duplicate, on whichever page', async () => {
    const { ask, asked } = pages(
      page([], { next: 30 }),
      page([event(20), event(21), event(25, { duplicate: true }), event(26, { entry: null })]),
    );
    const answer = await readBeside({ seq: 41, to: 'before', query: { env: [2] }, ask }, signal);
    expect(answer).toMatchObject({ body: { kind: 'event', event: { seq: 21 } } });
    expect(asked).toEqual([
      { env: [2], before: 41, limit: 5 },
      { env: [2], before: 30, limit: 5 },
    ]);
  });

  it('is the oldest one after it', async () => {
    const { ask } = pages(page([event(42), event(43)]));
    const answer = await readBeside({ seq: 41, to: 'after', query: {}, ask }, signal);
    expect(answer).toMatchObject({ body: { event: { seq: 42 } } });
  });

  it('may not be there, or too far away', async () => {
    const read = (ask: ReturnType<typeof pages>['ask']) =>
      readBeside({ seq: 41, to: 'after', query: {}, ask }, signal);
    expect(await read(pages(page([])).ask)).toEqual({ kind: 'ok', body: { kind: 'none', why: 'end' } });
    const far = pages(page([], { next: 50 }));
    expect(await read(far.ask)).toEqual({ kind: 'ok', body: { kind: 'none', why: 'too_far' } });
    expect(far.asked).toHaveLength(16);
  });
});
