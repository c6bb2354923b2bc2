import { FIGURE_POINTS_MAX } from '@runlog/schema/limits';

/** One numeric observation. A value that is NaN means that the event had one that is no number. */
export interface Point {
  readonly x: number;
  /** Milliseconds since 1970. */
  readonly t: number;
  readonly value: number;
  readonly attempt: number;
}

/**
 * A figure in buckets of `stride` points each; index i of every column is bucket i. NaN stands for "no value". While the
 * stride is 1, a bucket has one value, and `first`, `min` and `max` are empty because they equal `last`.
 */
export interface Series {
  readonly name: string;
  points: number;
  withoutValue: number;
  stride: number;
  readonly x: number[];
  readonly t: number[];
  readonly last: number[];
  readonly first: number[];
  readonly min: number[];
  readonly max: number[];
  /** [bucket, attempt]: from this bucket on, the first points belong to this attempt. */
  readonly attempts: [bucket: number, attempt: number][];
}

export function emptySeries(name: string): Series {
  return {
    name,
    ...{ points: 0, withoutValue: 0, stride: 1 },
    ...{ x: [], t: [], last: [], first: [], min: [], max: [], attempts: [] },
  };
}

/** Adds a point in place. If all buckets are full, neighbours are merged first, which doubles the stride. */
export function addPoint(series: Series, point: Point): void {
  const { x, t, last, first, min, max, attempts } = series;
  const { value } = point;
  if (series.points % series.stride === 0) {
    if (x.length === FIGURE_POINTS_MAX) {
      mergeNeighbours(series);
      addPoint(series, point);
      return;
    }
    if (attempts.at(-1)?.[1] !== point.attempt) attempts.push([x.length, point.attempt]);
    x.push(point.x);
    t.push(point.t);
    last.push(value);
    if (series.stride > 1) {
      first.push(value);
      min.push(value);
      max.push(value);
    }
  } else if (!Number.isNaN(value)) {
    const bucket = x.length - 1;
    last[bucket] = value;
    if (Number.isNaN(first[bucket])) {
      first[bucket] = value;
      min[bucket] = value;
      max[bucket] = value;
    } else {
      if (value < min[bucket]!) min[bucket] = value;
      if (value > max[bucket]!) max[bucket] = value;
    }
  }
  series.points += 1;
  if (Number.isNaN(value)) series.withoutValue += 1;
}

/** Merges buckets 0 and 1, 2 and 3 and so on, in place. */
export function mergeNeighbours(series: Series): void {
  const { x, t, last, first, min, max, attempts } = series;
  if (series.stride === 1) {
    for (const value of last) {
      first.push(value);
      min.push(value);
      max.push(value);
    }
  }
  const merged = Math.ceil(x.length / 2);
  for (let to = 0; to < merged; to += 1) {
    const left = to * 2;
    const right = left + 1;
    const isPair = right < x.length;
    x[to] = x[left]!;
    t[to] = t[left]!;
    first[to] = isPair && Number.isNaN(first[left]) ? first[right]! : first[left]!;
    last[to] = isPair && !Number.isNaN(last[right]) ? last[right]! : last[left]!;
    min[to] = isPair ? lower(min[left]!, min[right]!) : min[left]!;
    max[to] = isPair ? higher(max[left]!, max[right]!) : max[left]!;
  }
  for (const column of [x, t, last, first, min, max]) column.length = merged;
  mergeAttempts(attempts, merged);
  series.stride *= 2;
}

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
