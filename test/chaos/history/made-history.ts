import type { SeededRandom } from '../../simulation/seeded-random.ts';
import { END, type Observation } from './observation.ts';

const EPOCH = 'e1';
const PARTITIONS = 2;
const RUNS = ['r1', 'r2', 'r3', 'r4'];

interface Run {
  readonly key: string;
  readonly partition: number;
  readonly ids: Set<string>;
  records: number;
  seq: number;
  lastId: string;
  storedSeq: number;
}

/** Makes up a history of a system without faults: repeats, a late viewer, a gap that was said, a viewer that starts over. */
export function madeHistory(random: SeededRandom): Observation[] {
  const runs = RUNS.map(
    (name, index): Run => ({
      ...{ key: `local/${name}/default`, partition: index % PARTITIONS },
      ...{ ids: new Set(), records: 0, seq: -1, lastId: '', storedSeq: -1 },
    }),
  );
  const history: Observation[] = [{ kind: 'planned', unordered: ['wild'] }];
  const ends = Array.from({ length: PARTITIONS }, () => 0);
  const storedEnds = Array.from({ length: PARTITIONS }, () => 0);
  const log: Extract<Observation, { kind: 'read' }>[] = [];
  let nowMs = 0;
  const tick = () => {
    nowMs += random.integer(1, 5);
    return nowMs;
  };
  const append = (run: Run, id: string) => {
    // A broker's markers take offsets too.
    const offset = ends[run.partition]! + (random.chance(0.1) ? 1 : 0);
    ends[run.partition] = offset + 1;
    const record = {
      kind: 'read',
      by: 'witness',
      partition: run.partition,
      offset,
      key: run.key,
      id,
    } as const;
    log.push(record);
    history.push(record);
    const isNew = !run.ids.has(id);
    run.ids.add(id);
    Object.assign(run, { records: run.records + 1, seq: offset, lastId: id });
    if (!isNew) return;
    for (const by of ['viewer-0', 'viewer-1'])
      history.push({ kind: 'shown', by, key: run.key, epoch: EPOCH, seq: offset, id });
  };
  for (let n = 1; n <= 60; n += 1) {
    const run = random.pick(runs);
    const emitter = random.pick(['calm', 'wild']);
    const id = `${emitter}:${run.key}:${n}`;
    history.push({ kind: 'sent', key: run.key, id, atMs: tick() });
    append(run, id);
    if (random.chance(0.2)) {
      history.push({ kind: 'sent', key: run.key, id, atMs: tick() });
      append(run, id);
    }
    history.push({ kind: 'acknowledged', key: run.key, id, atMs: tick() });
    if (random.chance(0.3)) for (const by of ['viewer-0', 'viewer-1']) history.push(stateOf(run, by));
    if (n % 10 === 0) for (let at = 0; at < PARTITIONS; at += 1) flush(at);
  }
  history.push(...log.map((record) => ({ ...record, by: END })));
  for (const { key } of runs)
    for (const by of ['viewer-0', 'viewer-1']) history.push({ kind: 'settled', by, key });
  return history;

  function flush(partition: number): void {
    for (const run of runs) {
      if (run.partition !== partition || run.seq === run.storedSeq) continue;
      run.storedSeq = run.seq;
      const { key, seq, lastId } = run;
      const counts = { received: run.records, distinct: run.ids.size };
      const offset = storedEnds[partition]!++;
      history.push({ kind: 'stored', partition, offset, key, epoch: EPOCH, seq, lastId, ...counts });
    }
    const offset = storedEnds[partition]!++;
    history.push({ kind: 'checkpoint', partition, offset, epoch: EPOCH, next: ends[partition]! });
  }
}

function stateOf(run: Run, by: string): Observation {
  const { key, seq, records, ids } = run;
  if (seq === -1) return { kind: 'restarted', by, key, seq };
  const digest = `${key} with ${records} records`;
  return { kind: 'state', by, key, epoch: EPOCH, seq, digest, received: records, distinct: ids.size };
}
