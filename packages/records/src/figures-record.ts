import type { RunFiguresState } from '@runlog/run-state/figures/run-figures';
import { columnOf, columnsAt, type Series } from '@runlog/run-state/figures/series';
import { sparkFigures, sparkFrom } from '@runlog/run-state/figures/spark';
import { FIGURE_POINTS_MAX, FIGURES_MAX, FIGURES_REFUSED_MAX, SPARK_POINTS_MAX } from '@runlog/schema/limits';
import { runKeyPart } from '@runlog/schema/run/run-key-part';
import { type Position, positionSchema } from '@runlog/schema/run/snapshot';
import { parseJson } from '@runlog/topic-io/parse-json';
import type { LogRecord, RecordToAppend } from '@runlog/topic-io/topic-io';
import { z } from 'zod';
import { checksumOf, snapshotHeaders } from './snapshot-record.ts';

const count = z.int().min(0);
const headerSchema = z.object({
  cluster_id: runKeyPart,
  run_id: runKeyPart,
  group_id: runKeyPart,
  position: positionSchema,
  ordinal: count,
  attempt: count,
  refused: z.array(z.string()).max(FIGURES_REFUSED_MAX),
  figures: z
    .array(
      z.object({
        name: z.string(),
        points: z.int().min(1),
        without_value: count,
        stride: z.int().min(1),
        /** The number of [bucket, attempt] pairs. */
        attempts: z.int().min(1).max(FIGURE_POINTS_MAX),
      }),
    )
    .max(FIGURES_MAX),
});
type Header = z.infer<typeof headerSchema>;
const compiledHeader = z.compile(headerSchema);

const headSchema = headerSchema.pick({ cluster_id: true, run_id: true, group_id: true, position: true });
type Head = z.infer<typeof headSchema>;
const compiledHead = z.compile(headSchema);

/** Figures as they are stored, with only the beginning of their header parsed. */
export interface DormantFigures {
  readonly head: Head;
  readonly bytes: Buffer;
}

interface FiguresRecord extends RecordToAppend {
  readonly value: Buffer;
}

const NEWLINE = 0x0a;
/** The first field of the header after those of `Head`. No text inside a JSON string can look like it. */
const ORDINAL_FIELD = Buffer.from(',"ordinal":');
const DOUBLE_BYTES = 8;
/** The bucket in one byte, the attempt in four. */
const ATTEMPT_BYTES = 5;

/**
 * Encodes the record of a run's figures: a line of JSON, then for each figure its columns as little-endian doubles, which
 * are a third of their JSON and need no parsing, and its attempts.
 */
export function encodeFigures(
  state: RunFiguresState,
  written: { key: string; nowMs: number },
): FiguresRecord {
  const value = bytesOf(state);
  const headers = { [snapshotHeaders.checksum]: checksumOf(value) };
  return { key: written.key, value, headers, timestampMs: written.nowMs };
}

/** Returns the value of the record. */
export function bytesOf(state: RunFiguresState): Buffer {
  const all = [...state.series.values()];
  const header: Header = {
    ...state.run,
    position: state.position,
    ordinal: state.ordinal,
    attempt: state.attempt,
    refused: [...state.refused],
    figures: all.map(({ name, points, withoutValue, stride, attempts }) => ({
      name,
      points,
      without_value: withoutValue,
      stride,
      attempts: attempts.length,
    })),
  };
  const head = Buffer.from(`${JSON.stringify(header)}\n`);
  const bodyBytes = all.reduce((sum, series) => sum + seriesBytes(series), 0);
  // Figures sleep in these bytes. In the pool of small buffers, they would keep the bytes of others too.
  const bytes = Buffer.allocUnsafeSlow(head.length + bodyBytes);
  head.copy(bytes);
  let at = head.length;
  for (const series of all) {
    for (const column of columnsAt(series.stride)) {
      for (const value of columnOf(series, column)) at = bytes.writeDoubleLE(value, at);
    }
    for (const [bucket, attempt] of series.attempts) {
      at = bytes.writeUInt32LE(attempt, bytes.writeUInt8(bucket, at));
    }
  }
  return bytes;
}

function seriesBytes({ stride, buckets, attempts }: Series): number {
  return columnsAt(stride).length * buckets * DOUBLE_BYTES + attempts.length * ATTEMPT_BYTES;
}

/**
 * Returns null if the checksum does not prove that an aggregator wrote the bytes, or if the beginning of their header cannot
 * be read. The rest of it names every figure, and reading it takes longer than reading a snapshot's head.
 */
export function decodeDormantFigures(record: LogRecord): DormantFigures | null {
  const { value: bytes, headers } = record;
  if (bytes === null || headers[snapshotHeaders.checksum] !== checksumOf(bytes)) return null;
  const headEnd = bytes.indexOf(ORDINAL_FIELD);
  if (headEnd === -1) return null;
  const head = compiledHead.safeParse(parseJson(`${bytes.toString('utf8', 0, headEnd)}}`)).data;
  return head === undefined ? null : { head, bytes };
}

/** Returns the position of stored figures without reading their columns, or null if they cannot be read. */
export function positionOfFigures(bytes: Buffer): Position | null {
  return headOf(bytes)?.header.position ?? null;
}

/** Returns the newest points of a run's accuracy out of stored figures, of which nothing else is read. */
export function sparkOfFigures(bytes: Buffer): number[] {
  const head = headOf(bytes);
  if (head === null) return [];
  const { figures } = head.header;
  const wanted = sparkFigures.find((name) => figures.some((figure) => figure.name === name));
  let at = head.bodyAt;
  for (const { name, points, stride, attempts } of figures) {
    const columnBytes = Math.ceil(points / stride) * DOUBLE_BYTES;
    const columns = columnsAt(stride);
    if (name === wanted) {
      const end = at + (columns.indexOf('last') + 1) * columnBytes;
      if (end > bytes.length) return [];
      const from = Math.max(end - columnBytes, end - SPARK_POINTS_MAX * DOUBLE_BYTES);
      return sparkFrom(doublesIn(bytes, from, end));
    }
    at += columns.length * columnBytes + attempts * ATTEMPT_BYTES;
  }
  return [];
}

function* doublesIn(bytes: Buffer, from: number, end: number): Generator<number> {
  for (let at = from; at < end; at += DOUBLE_BYTES) yield bytes.readDoubleLE(at);
}

function headOf(bytes: Buffer): { header: Header; bodyAt: number } | null {
  const end = bytes.indexOf(NEWLINE);
  if (end === -1) return null;
  const header = compiledHeader.safeParse(parseJson(bytes.toString('utf8', 0, end))).data;
  return header === undefined ? null : { header, bodyAt: end + 1 };
}

/** Returns null if the value does not hold figures of this version. */
export function decodeFigures(bytes: Buffer | null): RunFiguresState | null {
  const head = bytes === null ? null : headOf(bytes);
  if (bytes === null || head === null) return null;
  const { header, bodyAt } = head;
  const { cluster_id, run_id, group_id, position, ordinal, attempt } = header;
  const series = new Map<string, Series>();
  let at = bodyAt;
  for (const figure of header.figures) {
    const buckets = Math.ceil(figure.points / figure.stride);
    const columns = columnsAt(figure.stride).length;
    const end = at + columns * buckets * DOUBLE_BYTES + figure.attempts * ATTEMPT_BYTES;
    if (buckets > FIGURE_POINTS_MAX || end > bytes.length) return null;
    series.set(figure.name, readSeries(bytes, { figure, buckets, columns, at }));
    at = end;
  }
  if (at !== bytes.length) return null;
  const run = { cluster_id, run_id, group_id };
  return { run, position, ordinal, attempt, refused: new Set(header.refused), series };
}

function readSeries(
  bytes: Buffer,
  of: { figure: Header['figures'][number]; buckets: number; columns: number; at: number },
): Series {
  const { figure, buckets, columns } = of;
  let { at } = of;
  const cells = new Float64Array(buckets * columns);
  for (let index = 0; index < cells.length; index += 1, at += DOUBLE_BYTES) {
    cells[index] = bytes.readDoubleLE(at);
  }
  const attempts: Series['attempts'] = [];
  for (let index = 0; index < figure.attempts; index += 1, at += ATTEMPT_BYTES) {
    attempts.push([bytes.readUInt8(at), bytes.readUInt32LE(at + 1)]);
  }
  const { name, points, without_value: withoutValue, stride } = figure;
  return { name, points, withoutValue, stride, buckets, cells, attempts };
}
