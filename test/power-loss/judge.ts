import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { silentLogger } from '../support/silent-logger.ts';
import type { DiskImage } from './disk.ts';
import { type Point, pointOf } from './point.ts';
import type { Recording } from './recording.ts';
import {
  growBytes,
  type LogState,
  ModelLog,
  readState,
  specs,
  type Workload,
  workloadOf,
} from './workload.ts';

export type Outcome =
  /** Everything that was acknowledged is there, and nothing else but what was under way. */
  | 'whole'
  /** The folder was refused by name, and its content had been damaged. */
  | 'refused'
  /** The folder was refused although the cut had only lost what was not synced. */
  | 'refused without need'
  | 'wrong'
  /** The process died, or did not answer. */
  | 'died';

export interface Verdict {
  readonly seed: number;
  readonly outcome: Outcome;
  readonly detail: string;
}

/** Opens a damaged folder with the real engine, reads everything, goes on writing, and opens it again. */
export async function judge(
  recording: Recording,
  point: Point,
  options: { scratch: string },
): Promise<Verdict> {
  const { seed, rot, image, acknowledged, begun } = point;
  const verdict = (outcome: Outcome, detail = ''): Verdict => ({ seed, outcome, detail });
  const { states } = workloadOfOnce(recording.seed);
  const allowed = states.slice(acknowledged, begun + 1);
  const folder = join(options.scratch, `point-${seed}`);
  layOut(folder, image);
  try {
    const found = await stateOf(folder);
    const index = allowed.indexOf(found);
    if (index < 0) return verdict('wrong', differenceOf(allowed, found));
    if (seed % 4 === 0 || rot !== 'none') {
      const fault = await goOn(folder, found);
      if (fault !== null) return verdict('wrong', fault);
    }
    return verdict('whole');
  } catch (error) {
    if (!(error instanceof TopicIoError))
      return verdict('wrong', `an error without a code: ${String(error)}`);
    if (error.code !== 'unusable' || !error.message.includes(folder))
      return verdict('wrong', `refused, but not by name: ${error.code}: ${error.message}`);
    const detail = error.message.replace(folder, 'FOLDER');
    return verdict(rot === 'none' ? 'refused without need' : 'refused', detail);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const workloads = new Map<number, Workload>();
function workloadOfOnce(seed: number): Workload {
  const found = workloads.get(seed) ?? workloadOf(seed);
  workloads.set(seed, found);
  return found;
}

/** A machine takes longer to start than a process may take to fill its entry. */
const cutBeforeMs = 60_000;

function layOut(folder: string, image: DiskImage): void {
  if (image === null) return;
  mkdirSync(folder);
  const cutAt = new Date(Date.now() - cutBeforeMs);
  for (const [name, content] of image) {
    writeFileSync(join(folder, name), content);
    utimesSync(join(folder, name), cutAt, cutAt);
  }
}

/** Old records stay, however late it is. */
const now = (): number => 0;

async function withLog<T>(folder: string, use: (io: TopicIo) => Promise<T>): Promise<T> {
  await using io = await openEmbedded({ folder, growBytes, logger: silentLogger, now });
  return await use(io);
}

async function stateOf(folder: string): Promise<LogState> {
  return await withLog(folder, readState);
}

/** A log that opens can be written, and keeps both the old and the new. */
async function goOn(folder: string, before: LogState): Promise<string | null> {
  const spec = specs[1]!;
  const record = { key: 'after', value: Buffer.alloc(5_000, 1), headers: {}, timestampMs: 1 };
  const expected = await withLog(folder, async (io) => {
    await io.deleteTopic(spec.name);
    await io.ensureTopics([spec]);
    await using fenced = await io.fencedWriter('workload');
    for (let round = 0; round < 3; round += 1)
      await fenced.commit({ records: [{ topic: spec.name, partition: 0, records: [record] }] });
    return await readState(io);
  });
  const others = (state: LogState): unknown[] =>
    (JSON.parse(state) as { name: string }[]).filter(({ name }) => name !== spec.name);
  const model = new ModelLog();
  model.apply({ kind: 'ensure', spec });
  const batch = { topic: spec.name, partition: 0, records: [record, record, record] };
  model.apply({ kind: 'append', batches: [batch] });
  const own = JSON.parse(model.state()) as { name: string }[];
  const wanted = [...own, ...(others(before) as { name: string }[])].sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  if (expected !== JSON.stringify(wanted)) return differenceOf([JSON.stringify(wanted)], expected);
  const again = await stateOf(folder);
  return again === expected ? null : `after going on: ${differenceOf([expected], again)}`;
}

function differenceOf(allowed: readonly LogState[], found: LogState): string {
  const [first] = allowed;
  let at = 0;
  while (at < found.length && found[at] === first?.[at]) at += 1;
  const part = (text: string | undefined): string => text?.slice(Math.max(0, at - 60), at + 60) ?? '';
  return `expected …${part(first)}… but found …${part(found)}…`;
}

export async function judgeSeed(
  recording: Recording,
  seed: number,
  options: { scratch: string },
): Promise<Verdict> {
  return await judge(recording, pointOf(recording, seed), options);
}
