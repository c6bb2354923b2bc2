import { describe, expect, it } from 'vitest';
import { validateEvent } from './events/validate-event.ts';
import { parseClientFrame } from './stream/client-frames.ts';
import { parseSubscription } from './stream/subscriptions.ts';

describe('an object whose length cannot be compared', () => {
  const odd = JSON.parse('{"length":{"toString":null,"valueOf":null}}') as unknown;

  it.each([
    ['auth', { id: 1, auth: odd }],
    ['unsub', { id: 1, unsub: [odd] }],
    ['ack', { id: 1, ack: odd }],
    ['sub', { id: 1, sub: odd }],
  ])('is a fault in the frame %s', (_verb, frame) => {
    expect(parseClientFrame(frame)).toMatchObject({ verb: 'fault', id: 1 });
  });

  it.each([
    ['a channel', { ch: odd }],
    ['a list', { ch: 'run:a/b/c', type: odd }],
    ['a text', { ch: 'run:a/b/c', q: odd }],
    ['a text of a view', { ch: 'runs:*', q: odd }],
    ['states', { ch: 'runs:*', status: odd }],
  ])('is a fault where %s of a subscription belongs', (_what, item) => {
    expect(parseSubscription(item)).toMatchObject({ kind: 'fault', code: 'bad_frame' });
  });

  const event = {
    ...{ event_id: 'a', event_type: 'NOTE', timestamp: '2026-01-03T23:59:47Z', run_id: 'r', data: {} },
    ...{ group_id: null, emitter_id: null, message: null, seed_id: null },
  };

  it.each(Object.keys(event))('is a fault as %s of an event', (name) => {
    const verdict = validateEvent({ ...event, [name]: odd });
    // `data` may hold anything.
    expect('fault' in verdict).toBe(name !== 'data');
  });
});
