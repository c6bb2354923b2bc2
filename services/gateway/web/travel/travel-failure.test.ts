import { expect, it } from 'vitest';
import { travelFailureOf } from './travel-failure.ts';

const refused = (code: string) =>
  ({ kind: 'refused', status: 503, code, message: 'a\u202emessage' }) as const;

it.each([
  [{ kind: 'away' } as const, 'The gateway does not answer.', 'try again'],
  [refused('too_far'), '5 s were not enough to count the run up to this event.', 'go on from there'],
  [
    refused('history_gone'),
    'The log no longer holds the beginning of this run, so its past states are gone.',
    null,
  ],
  [refused('no_such_event'), 'The run begins after event 1,234.', null],
  [refused('another'), 'a<202E>message', 'try again'],
])('%j is one sentence', (answer, sentence, retry) => {
  expect(travelFailureOf(answer, 1_234)).toEqual({ sentence, retry });
});
