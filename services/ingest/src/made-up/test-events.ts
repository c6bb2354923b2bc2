import type { Judgement } from '../accept-batch.ts';

/** Returns a valid event of an unknown type, for tests. A field given as `undefined` is left out of the JSON. */
export function eventText(overrides: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    event_id: 'e1',
    event_type: 'NOTE',
    timestamp: '2026-01-03T23:59:47.900000+00:00',
    run_id: 'r1',
    group_id: 'default',
    data: {},
    ...overrides,
  });
}

/** Returns the event's text with members written by hand, such as `"epoch": 1e2`. */
export function eventTextWith(members: string): string {
  return `${eventText().slice(0, -1)},${members}}`;
}

export type Judged = Extract<Judgement, { kind: 'judged' }>;

export function judgedOf(judgement: Judgement): Judged {
  if (judgement.kind !== 'judged') throw new Error(`refused: ${judgement.code} ${judgement.message}`);
  return judgement;
}
