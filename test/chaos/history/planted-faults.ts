import type { SeededRandom } from '../../simulation/seeded-random.ts';
import { END, type Observation, type ObservationOf } from './observation.ts';
import type { ViolationKind } from './violation.ts';

/** A way in which the system could be broken, put into the record of a system that is not. */
export interface PlantedFault {
  readonly name: string;
  /** What the checker must say of it, whatever else it says. */
  readonly due: ViolationKind;
  readonly plant: (history: readonly Observation[], random: SeededRandom) => Observation[];
}

export const PLANTED_FAULTS: readonly PlantedFault[] = [
  {
    name: 'an acknowledged event is not in the log',
    due: 'lost write',
    plant(history, random) {
      const { id } = random.pick(of(history, 'acknowledged'));
      return history.filter((one) => !((one.kind === 'read' || one.kind === 'shown') && one.id === id));
    },
  },
  {
    name: 'an event that was sent once is in the log twice',
    due: 'doubled write',
    plant(history, random) {
      const { id } = random.pick(of(history, 'sent'));
      const record = readingsAtTheEnd(history).find((one) => one.id === id)!;
      const isSent = (one: Observation) => one.kind === 'sent' && one.id === id;
      const first = history.findIndex(isSent);
      const once = history.filter((one, index) => index === first || !isSent(one));
      return [...once, { ...record, offset: endOf(history, record.partition) }];
    },
  },
  {
    name: 'a record that nobody sent is in the log',
    due: 'unsent write',
    plant(history, random) {
      const record = random.pick(readingsAtTheEnd(history));
      return [...history, { ...record, id: 'nobody:r:1', offset: endOf(history, record.partition) }];
    },
  },
  {
    name: 'two events of a run have changed places',
    due: 'write out of order',
    plant(history, random) {
      const { key, left, right } = random.pick(neighbours(history));
      return history.map((one) => {
        if (!('id' in one) || one.kind === 'sent' || one.kind === 'acknowledged' || one.key !== key)
          return one;
        if (one.id === left) return { ...one, id: right };
        return one.id === right ? { ...one, id: left } : one;
      });
    },
  },
  {
    name: 'a reader was given a record that was aborted later',
    due: 'unkept read',
    plant(history, random) {
      const index = random.pick(indexesOf(history, isLiveRead));
      const record = history[index] as ObservationOf<'read'>;
      return history.filter(
        (one) =>
          !(
            one.kind === 'read' &&
            one.by === END &&
            one.partition === record.partition &&
            one.offset === record.offset
          ),
      );
    },
  },
  {
    name: 'a reader was given another record at the same offset',
    due: 'divergent read',
    plant(history, random) {
      const index = random.pick(indexesOf(history, isLiveRead));
      return history.map((one, at) =>
        at === index ? { ...(one as ObservationOf<'read'>), id: 'calm:other:1' } : one,
      );
    },
  },
  {
    name: 'a reader was not given a record',
    due: 'skipped read',
    plant(history, random) {
      const inside = indexesOf(history, isLiveRead).filter((index) => isInside(history, index));
      const index = random.pick(inside);
      return history.filter((_, at) => at !== index);
    },
  },
  {
    name: 'a reader was given a record again',
    due: 'read went back',
    plant(history, random) {
      const index = random.pick(indexesOf(history, isLiveRead));
      return history.flatMap((one, at) => (at === index ? [one, one] : [one]));
    },
  },
  {
    name: 'a snapshot counts an event twice',
    due: 'snapshot with wrong counts',
    plant: (history, random) =>
      changed(history, random, 'stored', (one) => ({ ...one, received: one.received + 1 })),
  },
  {
    name: 'a snapshot is of an event that is not there',
    due: 'snapshot of no record',
    plant: (history, random) =>
      changed(history, random, 'stored', (one) => ({ ...one, lastId: 'calm:other:1' })),
  },
  {
    name: 'a zombie wrote an older snapshot over a newer one',
    due: 'snapshot went back',
    plant(history, random) {
      const again = random.pick(of(history, 'stored'));
      const index = history.findLastIndex(
        (one) => one.kind === 'checkpoint' && one.partition === again.partition,
      );
      return history.toSpliced(index, 0, again);
    },
  },
  {
    name: 'a flush is torn: its snapshots are there, and its checkpoint is not',
    due: 'snapshot without its checkpoint',
    plant(history, random) {
      const flushes = indexesOf(history, (one) => one.kind === 'checkpoint').filter((index) => {
        const { partition } = history[index] as ObservationOf<'checkpoint'>;
        const before = keysStoredBetween(history, { partition, from: index, step: -1 });
        const after = keysStoredBetween(history, { partition, from: index, step: 1 });
        return before.some((key) => after.includes(key));
      });
      const index = random.pick(flushes);
      return history.filter((_, at) => at !== index);
    },
  },
  {
    name: 'a checkpoint went back',
    due: 'checkpoint went back',
    plant(history, random) {
      const again = random.pick(of(history, 'checkpoint').filter(({ next }) => next > 0));
      const index = history.indexOf(again);
      return history.toSpliced(index + 1, 0, { ...again, next: again.next - 1 });
    },
  },
  {
    name: 'a flush is torn: its checkpoint is there, and a snapshot is not',
    due: 'checkpoint ahead of its snapshots',
    plant(history, random) {
      const index = random.pick(indexesOf(history, (one) => isNeeded(history, one)));
      return history.filter((_, at) => at !== index);
    },
  },
  {
    name: 'a viewer was shown an entry of an event that is not there',
    due: 'shown without a record',
    plant: (history, random) => changed(history, random, 'shown', (one) => ({ ...one, id: 'calm:other:1' })),
  },
  {
    name: 'a viewer was shown an entry twice',
    due: 'shown again',
    plant(history, random) {
      const index = random.pick(indexesOf(history, (one) => one.kind === 'shown'));
      return history.flatMap((one, at) => (at === index ? [one, one] : [one]));
    },
  },
  {
    name: 'a viewer was not shown an entry',
    due: 'not shown',
    plant(history, random) {
      const settled = new Set(of(history, 'settled').map(({ by, key }) => `${by} ${key}`));
      const restarted = new Set(of(history, 'restarted').map(({ by, key }) => `${by} ${key}`));
      const index = random.pick(
        indexesOf(history, (one) => {
          if (one.kind !== 'shown') return false;
          const view = `${one.by} ${one.key}`;
          return settled.has(view) && !restarted.has(view);
        }),
      );
      return history.filter((one, at) => at !== index && one.kind !== 'skipped');
    },
  },
  {
    name: 'a gateway gave an older state than before',
    due: 'state went back',
    plant(history, random) {
      const later = of(history, 'state').filter((one) => earlierState(history, one) !== undefined);
      const after = random.pick(later);
      return history.toSpliced(history.indexOf(after) + 1, 0, earlierState(history, after)!);
    },
  },
  {
    name: 'a gateway has folded an event twice',
    due: 'state with wrong counts',
    plant: (history, random) =>
      changed(history, random, 'state', (one) => ({ ...one, received: one.received + 1 })),
  },
  {
    name: 'two gateways have two states at one position',
    due: 'gateways disagree',
    plant(history, random) {
      const state = random.pick(of(history, 'state'));
      return history.toSpliced(history.indexOf(state) + 1, 0, { ...state, by: 'another', digest: 'another' });
    },
  },
];

function of<Kind extends Observation['kind']>(history: readonly Observation[], kind: Kind) {
  return history.filter((one): one is ObservationOf<Kind> => one.kind === kind);
}

function isLiveRead(one: Observation): boolean {
  return one.kind === 'read' && one.by !== END;
}

function indexesOf(history: readonly Observation[], isMeant: (one: Observation) => boolean): number[] {
  return history.flatMap((one, index) => (isMeant(one) ? [index] : []));
}

function readingsAtTheEnd(history: readonly Observation[]): ObservationOf<'read'>[] {
  return of(history, 'read').filter(({ by }) => by === END);
}

function endOf(history: readonly Observation[], partition: number): number {
  const offsets = of(history, 'read').filter((one) => one.partition === partition);
  return offsets.reduce((end, { offset }) => Math.max(end, offset + 1), 0);
}

/** Whether the reader had read before, and went on after this record. */
function isInside(history: readonly Observation[], index: number): boolean {
  const record = history[index] as ObservationOf<'read'>;
  const isSame = (one: Observation) =>
    one.kind === 'read' && one.by === record.by && one.partition === record.partition;
  return history.findIndex(isSame) < index && history.findLastIndex(isSame) > index;
}

/** Returns pairs of events of which one was acknowledged before the other one was sent. */
function neighbours(history: readonly Observation[]): { key: string; left: string; right: string }[] {
  const acknowledged = new Map(of(history, 'acknowledged').map((one) => [one.id, one.atMs]));
  const sent = new Map(
    of(history, 'sent')
      .toReversed()
      .map((one) => [one.id, one.atMs]),
  );
  const copies = new Map<string, number>();
  const byRun = new Map<string, string[]>();
  for (const { key, id } of readingsAtTheEnd(history)) {
    copies.set(id, (copies.get(id) ?? 0) + 1);
    if (copies.get(id) === 1) byRun.set(key, [...(byRun.get(key) ?? []), id]);
  }
  return [...byRun].flatMap(([key, ids]) =>
    ids.slice(1).flatMap((right, index) => {
      const left = ids[index]!;
      if (copies.get(left) !== 1 || copies.get(right) !== 1) return [];
      return (acknowledged.get(left) ?? Number.NaN) < (sent.get(right) ?? Number.NaN)
        ? [{ key, left, right }]
        : [];
    }),
  );
}

/** Whether a checkpoint speaks for this snapshot before the run is stored again. */
function isNeeded(history: readonly Observation[], snapshot: Observation): boolean {
  if (snapshot.kind !== 'stored') return false;
  for (const one of history.slice(history.indexOf(snapshot) + 1)) {
    if (one.kind === 'stored' && one.key === snapshot.key) return false;
    if (one.kind !== 'checkpoint' || one.partition !== snapshot.partition) continue;
    if (one.next > snapshot.seq) return true;
  }
  return false;
}

/** Returns the runs that were stored between this checkpoint and the next one in the direction of the step. */
function keysStoredBetween(
  history: readonly Observation[],
  of: { partition: number; from: number; step: 1 | -1 },
): string[] {
  const keys: string[] = [];
  for (let index = of.from + of.step; index >= 0 && index < history.length; index += of.step) {
    const one = history[index]!;
    if (!('partition' in one) || one.partition !== of.partition) continue;
    if (one.kind === 'checkpoint') break;
    if (one.kind === 'stored') keys.push(one.key);
  }
  return keys;
}

function earlierState(
  history: readonly Observation[],
  of: ObservationOf<'state'>,
): ObservationOf<'state'> | undefined {
  for (let index = history.indexOf(of) - 1; index >= 0; index -= 1) {
    const one = history[index]!;
    if (one.kind === 'restarted' && one.by === of.by && one.key === of.key) return undefined;
    if (one.kind !== 'state' || one.by !== of.by || one.key !== of.key || one.epoch !== of.epoch) continue;
    if (one.seq < of.seq) return one;
  }
  return undefined;
}

function changed<Kind extends Observation['kind']>(
  history: readonly Observation[],
  random: SeededRandom,
  kind: Kind,
  change: (one: ObservationOf<Kind>) => Observation,
): Observation[] {
  const index = random.pick(indexesOf(history, (one) => one.kind === kind));
  return history.map((one, at) => (at === index ? change(one as ObservationOf<Kind>) : one));
}
