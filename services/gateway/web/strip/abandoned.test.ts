import { describe, expect, it } from 'vitest';
import { timelineOf } from '../../../../test/support/timeline-factory.ts';
import { abandonedParts } from './abandoned.ts';

/** A landmark every ten offsets, with the run's episode there. */
const landmarksOf = (...episodes: number[]) =>
  episodes.map((episode, at): [number, number, string, number] => [
    at * 10,
    at + 1,
    '2026-11-27T07:00:00.000Z',
    episode,
  ]);
const attempt = (seq: number, episode: number) => ({ seq, episode, at: '2026-11-27T07:00:00Z' });

describe('what a later attempt did not go on from', () => {
  it.each([
    ['nothing, if there is one attempt', [attempt(0, 0)], 1, []],
    ['nothing, if events came before the first start', [attempt(15, 0)], 1, []],
    [
      'the whole attempt, if the next began anew',
      [attempt(0, 0), attempt(35, 0)],
      2,
      [{ fromSeq: 0, toSeq: 35 }],
    ],
    [
      'what came after the episode that the next resumed from',
      [attempt(0, 0), attempt(35, 8)],
      2,
      [{ fromSeq: 20, toSeq: 35 }],
    ],
    ['nothing, if the next resumed from the end', [attempt(0, 0), attempt(35, 20)], 2, []],
    [
      'parts of several attempts, if the last resumed from before them',
      [attempt(0, 0), attempt(35, 12), attempt(55, 4)],
      3,
      [
        { fromSeq: 10, toSeq: 35 },
        { fromSeq: 35, toSeq: 55 },
      ],
    ],
    ['attempts that are no longer known too', [attempt(35, 0)], 5, [{ fromSeq: 0, toSeq: 35 }]],
  ])('is %s', (_name, attempts, number, expected) => {
    const timeline = timelineOf({
      landmarks: landmarksOf(0, 4, 8, 12, 12, 16, 4, 8),
      attempts,
      attempt: number,
    });
    expect(abandonedParts(timeline)).toEqual(expected);
  });
});
