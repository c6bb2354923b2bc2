/**
 * Holds many runs in a process of its own and measures its memory, with one JSON line as the answer. Needs --expose-gc.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { bytesOf, decodeFigures } from '@runlog/records/figures-record';
import { decodeDormant, decodeSnapshot, encodeSnapshot } from '@runlog/records/snapshot-record';
import { FigureStates } from '@runlog/run-feed/figure-states';
import { RunStates } from '@runlog/run-feed/run-states';
import { RunTable } from '@runlog/run-feed/run-table';
import { FIGURE_POINTS_MAX } from '@runlog/schema/limits';
import { formatRunKey } from '@runlog/schema/run/run-key';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import { sampleRecords } from './sample-events.ts';

export interface RunsTask {
  readonly runs: number;
  /** `live` runs are awake, `dormant` ones are as a restore leaves them. */
  readonly mode: 'live' | 'live with figures' | 'dormant' | 'dormant with figures';
}

export interface RunsAnswer {
  readonly heapBytes: number;
  /** Memory outside of the heap: buffers. */
  readonly bufferBytes: number;
  readonly snapshotBytes: number;
  readonly figuresBytes: number;
  readonly figures: number;
}

const { runs, mode } = JSON.parse(process.argv[2] ?? '{}') as RunsTask;

/** A run of the recordings' events, so long that its log is full and so are the eight figures that its rounds continue. */
function fullRun() {
  const table = new RunTable({ epoch: 'bench', fold: FOLD_VERSION, partitions: 1, snapshots: '' });
  const count = 276 * FIGURE_POINTS_MAX;
  let offset = 0;
  for (const record of sampleRecords({ runs: 1, count, receivedAtMs: Date.now() - count })) {
    // The recordings begin anew again and again. A run that does so has few attempts, not hundreds.
    if (offset > 0 && record.headers.event_type === 'TRAINING_STARTED') continue;
    table.foldInPlace([{ ...record, offset }], 0);
    offset += 1;
  }
  const [key, state] = [...table.states][0]!;
  const figures = table.figures.get(key)!;
  for (const name of [...figures.series.keys()].slice(8)) figures.series.delete(name);
  return { state, figures };
}

const { state, figures } = fullRun();
const figuresBytes = bytesOf(figures);
const stored = encodeSnapshot(state, { key: formatRunKey(state), nowMs: 0 });
const states = new RunStates();
const figureStates = new FigureStates();

function memory(): { heapUsed: number; external: number } {
  global.gc?.();
  global.gc?.();
  return process.memoryUsage();
}

const before = memory();
for (let run = 0; run < runs; run += 1) {
  const runId = `run-${run}`;
  const key = formatRunKey({ ...state, run_id: runId });
  const value = Buffer.from(JSON.stringify({ ...state, run_id: runId }));
  const ownFigures = Buffer.from(figuresBytes);
  if (mode.startsWith('live')) states.set(key, decodeSnapshot(value)!);
  else {
    const record = encodeSnapshot({ ...state, run_id: runId }, { key, nowMs: 0 });
    states.setDormant(key, decodeDormant({ ...record, offset: 0 })!);
  }
  if (!mode.endsWith('with figures')) continue;
  if (mode.startsWith('live')) figureStates.set(key, decodeFigures(ownFigures)!);
  else {
    const head = { ...state, position: figures.position, ordinal: 0, attempt: 0, refused: [], figures: [] };
    figureStates.setDormant(key, { head, bytes: ownFigures });
  }
}
states.settle();
figureStates.settle();
// Bytes are packed on other threads.
for (let before = -1; before !== process.memoryUsage().external; await delay(200)) {
  before = process.memoryUsage().external;
}
const after = memory();
const answer: RunsAnswer = {
  heapBytes: after.heapUsed - before.heapUsed,
  bufferBytes: after.external - before.external,
  snapshotBytes: stored.value.length,
  figuresBytes: figuresBytes.length,
  figures: figures.series.size,
};
const held = [...figureStates.keys()].length;
if (states.size !== runs || held !== (mode.endsWith('with figures') ? runs : 0)) {
  throw new Error(`${states.size} runs and the figures of ${held} are held`);
}
process.stdout.write(`${JSON.stringify(answer)}\n`);
