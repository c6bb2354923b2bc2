import { PAST_FOLD_MS_MAX } from '@runlog/schema/limits';
import type { Answer } from '../shell/ask.ts';
import { countText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';

/** Why a past state cannot be shown, in one sentence. */
export interface TravelFailure {
  readonly sentence: string;
  /** What the button says that asks again; null if that would not help. */
  readonly retry: string | null;
}

const TOO_FAR_S = PAST_FOLD_MS_MAX / 1_000;

/** The newest state would be taken for the one that was asked for. */
export function notYet(seq: number, newest: number): TravelFailure {
  const sentence = `This run has no event ${countText(seq)} yet: its newest is ${countText(newest)}.`;
  return { sentence, retry: null };
}

export function travelFailureOf(
  answer: Exclude<Answer<unknown>, { kind: 'ok' }>,
  seq: number,
): TravelFailure {
  if (answer.kind === 'away') return { sentence: 'The gateway does not answer.', retry: 'try again' };
  switch (answer.code) {
    case 'too_far':
      return {
        sentence: `${TOO_FAR_S} s were not enough to count the run up to this event.`,
        retry: 'go on from there',
      };
    case 'history_gone':
      return {
        sentence: 'The log no longer holds the beginning of this run, so its past states are gone.',
        retry: null,
      };
    case 'no_such_event':
      return { sentence: `The run begins after event ${countText(seq)}.`, retry: null };
    default:
      return { sentence: visibleText(answer.message), retry: 'try again' };
  }
}
