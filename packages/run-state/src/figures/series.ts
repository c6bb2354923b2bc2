import { FIGURE_POINTS_MAX } from '@runlog/schema/limits';

/** One numeric observation. A value that is NaN means that the event had one that is no number. */
export interface Point {
  readonly x: number;
  /** Milliseconds since 1970. */
  readonly t: number;
  readonly value: number;
  readonly attempt: number;
}

/** The columns of a series, in the order in which they are kept and stored. */
export const columns = ['x', 't', 'last', 'first', 'min', 'max'] as const;
export type Column = (typeof columns)[number];
/** While a bucket holds one point, its other columns would equal `last`. */
const COLUMNS_OF_POINTS = 3;
const [X, T, LAST, FIRST, MIN, MAX] = [0, 1, 2, 3, 4, 5] as const;
const BUCKETS_AT_FIRST = 12;

/**
 * A figure in buckets of `stride` points each. NaN stands for "no value". While the stride is 1, a bucket has one value, and
 * `first`, `min` and `max` are not kept. The columns lie one after the other in one array of doubles, because arrays of
 * numbers would take three times the memory.
 */
export interface Series {
  readonly name: string;
  points: number;
  withoutValue: number;
  stride: number;
  buckets: number;
  /** The columns, each with room for the same number of buckets. */
  cells: Float64Array;
  /** [bucket, attempt]: from this bucket on, the first points belong to this attempt. */
  readonly attempts: [bucket: number, attempt: number][];
}

export function emptySeries(name: string): Series {
  const cells = new Float64Array(BUCKETS_AT_FIRST * COLUMNS_OF_POINTS);
  return { name, points: 0, withoutValue: 0, stride: 1, buckets: 0, cells, attempts: [] };
}

/** Returns the columns that are kept at a stride. */
export function columnsAt(stride: number): readonly Column[] {
  return stride === 1 ? columns.slice(0, COLUMNS_OF_POINTS) : columns;
}

/** Returns a column's values, one a bucket. It is a view that changes with the series. */
export function columnOf(series: Series, column: Column): Float64Array {
  const { stride, buckets, cells } = series;
  const kept = columnsAt(stride);
  const index = kept.includes(column) ? kept.indexOf(column) : LAST;
  const room = cells.length / kept.length;
  return cells.subarray(index * room, index * room + buckets);
}

/** Adds a point in place. If all buckets are full, neighbours are merged first, which doubles the stride. */
export function addPoint(series: Series, point: Point): void {
  if (series.points % series.stride !== 0) addToBucket(series, point.value);
  else if (series.buckets < FIGURE_POINTS_MAX) beginBucket(series, point);
  else {
    mergeNeighbours(series);
    addPoint(series, point);
    return;
  }
  series.points += 1;
  if (Number.isNaN(point.value)) series.withoutValue += 1;
}

function beginBucket(series: Series, { x, t, value, attempt }: Point): void {
  const { attempts, stride } = series;
  const kept = stride === 1 ? COLUMNS_OF_POINTS : columns.length;
  const bucket = series.buckets;
  if (bucket === series.cells.length / kept) makeRoom(series, Math.min(bucket * 2, FIGURE_POINTS_MAX));
  const { cells } = series;
  const room = cells.length / kept;
  if (attempts.at(-1)?.[1] !== attempt) attempts.push([bucket, attempt]);
  cells[X * room + bucket] = x;
  cells[T * room + bucket] = t;
  for (let column = LAST; column < kept; column += 1) cells[column * room + bucket] = value;
  series.buckets += 1;
}

/** Gives each column room for so many buckets. */
function makeRoom(series: Series, room: number): void {
  const kept = columnsAt(series.stride);
  const cells = new Float64Array(room * kept.length);
  for (const [index, column] of kept.entries()) cells.set(columnOf(series, column), index * room);
  series.cells = cells;
}

function addToBucket({ cells, buckets }: Series, value: number): void {
  if (Number.isNaN(value)) return;
  const room = cells.length / columns.length;
  const bucket = buckets - 1;
  cells[LAST * room + bucket] = value;
  if (Number.isNaN(cells[FIRST * room + bucket])) {
    for (const column of [FIRST, MIN, MAX]) cells[column * room + bucket] = value;
    return;
  }
  const [min, max] = [MIN * room + bucket, MAX * room + bucket];
  if (value < cells[min]!) cells[min] = value;
  if (value > cells[max]!) cells[max] = value;
}

/** Merges buckets 0 and 1, 2 and 3 and so on, in place. */
export function mergeNeighbours(series: Series): void {
  const merged = Math.ceil(series.buckets / 2);
  const room = FIGURE_POINTS_MAX;
  const cells = new Float64Array(room * columns.length);
  const [x, t, last, first, min, max] = columns.map((column) => columnOf(series, column)) as Column6;
  for (let to = 0; to < merged; to += 1) {
    const left = to * 2;
    // The last bucket may have no neighbour.
    const right = Math.min(left + 1, series.buckets - 1);
    cells[X * room + to] = x[left]!;
    cells[T * room + to] = t[left]!;
    cells[LAST * room + to] = Number.isNaN(last[right]) ? last[left]! : last[right]!;
    cells[FIRST * room + to] = Number.isNaN(first[left]) ? first[right]! : first[left]!;
    cells[MIN * room + to] = lower(min[left]!, min[right]!);
    cells[MAX * room + to] = higher(max[left]!, max[right]!);
  }
  mergeAttempts(series.attempts, merged);
  series.cells = cells;
  series.buckets = merged;
  series.stride *= 2;
}

type Column6 = [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];

/** A merged bucket has the attempt of its first point, which is that of its left half. */
function mergeAttempts(attempts: Series['attempts'], buckets: number): void {
  let kept = 0;
  for (const [bucket, attempt] of attempts) {
    const to = Math.ceil(bucket / 2);
    if (to >= buckets) continue;
    if (kept > 0 && attempts[kept - 1]![0] === to) kept -= 1;
    attempts[kept] = [to, attempt];
    kept += 1;
  }
  attempts.length = kept;
}

function lower(left: number, right: number): number {
  if (Number.isNaN(left)) return right;
  return right < left ? right : left;
}

function higher(left: number, right: number): number {
  if (Number.isNaN(left)) return right;
  return right > left ? right : left;
}
