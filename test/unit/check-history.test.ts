import { describe, expect, it } from 'vitest';
import { checkHistory } from '../chaos/history/check-history.ts';
import { madeHistory } from '../chaos/history/made-history.ts';
import { type Observation, type ObservationOf, observationSchema } from '../chaos/history/observation.ts';
import { PLANTED_FAULTS } from '../chaos/history/planted-faults.ts';
import { VIOLATION_KINDS } from '../chaos/history/violation.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';

const HISTORIES = 50;

describe('the checker of histories', () => {
  it('finds nothing in histories without a fault', () => {
    for (let seed = 1; seed <= HISTORIES; seed += 1) {
      const history = madeHistory(new SeededRandom(seed));
      for (const one of history) expect(observationSchema.parse(one)).toEqual(one);
      expect(checkHistory(history), `seed ${seed}`).toEqual([]);
    }
  });

  it.each(PLANTED_FAULTS)('finds that $name', ({ due, plant }) => {
    for (let seed = 1; seed <= HISTORIES; seed += 1) {
      const random = new SeededRandom(seed);
      const kinds = checkHistory(plant(madeHistory(random), random)).map(({ kind }) => kind);
      expect(kinds, `seed ${seed}`).toContain(due);
    }
  });

  it('can say each of its verdicts', () => {
    expect(new Set(PLANTED_FAULTS.map(({ due }) => due))).toEqual(new Set(VIOLATION_KINDS));
  });

  it('lets a viewer start over where it was told to, and leave out what it was told of', () => {
    const history = madeHistory(new SeededRandom(1));
    const [first, second] = firstTwoShown(history);
    const { by, key } = first;
    const skipped: Observation = { kind: 'skipped', by, key, after: first.seq, before: second.seq + 1 };
    const over: Observation = { kind: 'restarted', by, key, seq: -1 };
    const withGap = history.flatMap((one) => (one === second ? [skipped] : [one]));
    const again = history.flatMap((one) => (one === second ? [over, first, second] : [one]));
    expect(checkHistory(withGap)).toEqual([]);
    expect(checkHistory(again)).toEqual([]);
  });

  it('does not judge a history without a reading at the end', () => {
    const history = madeHistory(new SeededRandom(1)).filter((one) => one.kind !== 'read' || one.by !== 'end');
    expect(() => checkHistory(history)).toThrow("no reading by 'end'");
  });
});

function firstTwoShown(history: readonly Observation[]): [ObservationOf<'shown'>, ObservationOf<'shown'>] {
  const shown = history.filter((one): one is ObservationOf<'shown'> => one.kind === 'shown');
  const first = shown[0]!;
  const second = shown.find((one) => one !== first && one.by === first.by && one.key === first.key)!;
  return [first, second];
}
