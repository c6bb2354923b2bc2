import { instantOf } from '@runlog/schema/events/instant';
import type { RunTimeline } from '@runlog/schema/http/gateway-api';
import { ACTIVITY_BUCKET_SECONDS } from '@runlog/schema/limits';
import { interpolate, longestOrdered } from './knots.ts';

/**
 * The whole life of a run as one axis from 0 to 1, which strip, lanes and charts share. Its columns are points in the order of
 * the log: none of them goes back.
 *
 * `clock` says what the axis is drawn to scale by. `arrival` is the servers' clock. An imported run arrived within moments,
 * so there `senders` is the time that its events say. Where neither passes, `order` gives each event the same room.
 */
export interface RunAxis {
  readonly clock: 'arrival' | 'senders' | 'order';
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** The times at 0 and at 1, in milliseconds since 1970. */
  readonly startMs: number;
  readonly endMs: number;
  /** How far the senders' clocks are ahead of this axis, by the middle one of the events that are known. */
  readonly skewMs: number;
  readonly seqs: readonly number[];
  /** The number of distinct events of the run before each point. */
  readonly ordinals: readonly number[];
  readonly fractions: readonly number[];
}

/** How far the run has come, where that is newer than the timeline: from the run's snapshot. */
export interface AxisHead {
  readonly seq: number;
  /** `last_received_at`, in milliseconds. */
  readonly receivedAtMs: number;
  /** `last_event_at`, in milliseconds, if the run has it. */
  readonly occurredAtMs?: number | undefined;
  /** Distinct events: `total_events_received - duplicates`. */
  readonly events: number;
}

/** An event whose own time is known. */
export interface AxisAnchor {
  readonly seq: number;
  readonly atMs: number;
}

interface Knot {
  readonly seq: number;
  readonly ordinal: number;
  readonly ms: number;
}

/** The senders' clocks are used only if by them the run took so many times as long as its arrival. */
const IMPORTED_TIMES = 4;

/** `anchors` are events of the run in any number, such as its seeds' events, in the order of the log. */
export function runAxisOf(of: {
  timeline: RunTimeline;
  anchors?: readonly AxisAnchor[];
  head?: AxisHead | undefined;
}): RunAxis {
  const { timeline, head } = of;
  const arrived = arrivalKnots(timeline, head);
  const anchors = anchorsOf(timeline, { anchors: of.anchors ?? [], head });
  const ordered = longestOrdered(anchors.map(({ atMs }) => atMs)).map((index) => anchors[index]!);
  const arrivedMs = arrived.at(-1)!.ms - arrived[0]!.ms;
  if (isImported(ordered, arrivedMs)) return axisOf('senders', sentKnots(arrived, ordered), []);
  if (arrivedMs > 0) return axisOf('arrival', arrived, anchors);
  return axisOf('order', arrived, anchors);
}

/** Returns where on the axis an offset of the log is, from 0 to 1. */
export function fractionOfSeq(axis: RunAxis, seq: number): number {
  return interpolate(seq, axis.seqs, axis.fractions);
}

/** Returns the offset at a place of the axis, mostly one between two events. */
export function seqAt(axis: RunAxis, fraction: number): number {
  return interpolate(fraction, axis.fractions, axis.seqs);
}

/** Returns the time at a place of the axis, by its clock. With the clock `order` it is an estimate. */
export function timeAt(axis: RunAxis, fraction: number): number {
  const part = Math.min(1, Math.max(0, fraction));
  return Math.min(axis.endMs, axis.startMs + part * (axis.endMs - axis.startMs));
}

/** Returns where on the axis a time by its clock is. Times before and after the run are at its ends. */
export function fractionOfTime(axis: RunAxis, ms: number): number {
  const lengthMs = axis.endMs - axis.startMs;
  if (lengthMs === 0) return ms < axis.startMs ? 0 : 1;
  return Math.min(1, Math.max(0, (ms - axis.startMs) / lengthMs));
}

/** Returns how many distinct events of the run there are before a place of the axis, in parts of one too. */
export function eventsBefore(axis: RunAxis, fraction: number): number {
  return interpolate(fraction, axis.fractions, axis.ordinals);
}

/** Returns the offset before which there are so many distinct events, or one near it. */
export function seqOfOrdinal(axis: RunAxis, ordinal: number): number {
  return interpolate(ordinal, axis.ordinals, axis.seqs);
}

/** How far outside the run an event's own time may be before it counts as wrong: part of its length, and at least so long. */
const OUTSIDE_PART = 0.02;
const OUTSIDE_MS = 2_000;

/** Returns how far a clock may differ from this axis before it counts as wrong, in milliseconds. */
export function slackMs({ startMs, endMs }: RunAxis): number {
  return (endMs - startMs) * OUTSIDE_PART + OUTSIDE_MS;
}

/**
 * Returns where on the axis events of the given times are: `times` by the senders' clocks, in the order of the log. The
 * places never go back, nor beyond `end`. Where a clock is wrong, the events lie evenly between those next to them whose clocks
 * are right.
 */
export function fractionsOfTimes(axis: RunAxis, times: readonly number[], end = 1): number[] {
  const slack = slackMs(axis);
  const endMs = timeAt(axis, end);
  const right: number[] = [];
  for (const [index, sent] of times.entries()) {
    const ms = sent - axis.skewMs;
    if (axis.clock !== 'order' && ms >= axis.startMs - slack && ms <= endMs + slack) right.push(index);
  }
  const ordered = longestOrdered(right.map((index) => times[index]!)).map((at) => right[at]!);
  const places = ordered.map((index) => Math.min(end, fractionOfTime(axis, times[index]! - axis.skewMs)));
  if (ordered.length === times.length) return places;
  const edge = axis.clock === 'order' ? 0 : 1;
  const at = [-edge, ...ordered, times.length - 1 + edge];
  return times.map((_, index) => interpolate(index, at, [0, ...places, end]));
}

function axisOf(clock: RunAxis['clock'], knots: readonly Knot[], anchors: readonly AxisAnchor[]): RunAxis {
  const [first, last] = [knots[0]!, knots.at(-1)!];
  const scale = (knot: Knot) => (clock === 'order' ? knot.ordinal : knot.ms);
  const [start, length] = [scale(first), scale(last) - scale(first)];
  const axis: RunAxis = {
    clock,
    ...{ firstSeq: first.seq, lastSeq: last.seq },
    ...{ startMs: first.ms, endMs: last.ms, skewMs: 0 },
    seqs: knots.map(({ seq }) => seq),
    ordinals: knots.map(({ ordinal }) => ordinal),
    fractions: knots.map((knot, index) =>
      length > 0 ? (scale(knot) - start) / length : index / Math.max(1, knots.length - 1),
    ),
  };
  const skews = anchors.map(({ seq, atMs }) => atMs - timeAt(axis, fractionOfSeq(axis, seq)));
  return { ...axis, skewMs: medianOf(skews) };
}

/** The points that the servers know: landmarks, the newest event, and what happened within 10 min before it. */
function arrivalKnots(timeline: RunTimeline, head: AxisHead | undefined): Knot[] {
  const knots: Knot[] = [];
  const add = (knot: Knot) => {
    const last = knots.at(-1);
    knots.push({
      seq: Math.max(knot.seq, last?.seq ?? knot.seq),
      ordinal: Math.max(knot.ordinal, last?.ordinal ?? 0),
      ms: Math.max(knot.ms, last?.ms ?? knot.ms),
    });
  };
  const [oldest] = timeline.landmarks;
  const headKnot = headKnotOf(timeline, head);
  if (oldest === undefined || oldest[0] > timeline.first_seq) {
    const oldestMs = oldest === undefined ? headKnot.ms : instantOf(oldest[2]);
    const startedMs = timeline.started_at === null ? oldestMs : instantOf(timeline.started_at);
    add({ seq: timeline.first_seq, ordinal: 0, ms: Math.min(startedMs, oldestMs) });
  }
  for (const [seq, ordinal, at] of timeline.landmarks) add({ seq, ordinal: ordinal - 1, ms: instantOf(at) });
  add(headKnot);
  return withActivity(knots, timeline.activity);
}

function headKnotOf({ landmarks, position, activity, end }: RunTimeline, head: AxisHead | undefined): Knot {
  const newest = landmarks.at(-1);
  const newestMs = newest === undefined ? 0 : instantOf(newest[2]);
  const bucketMs = (activity.at(-1)?.[0] ?? 0) * 1_000;
  const fallbackMs = Math.max(newestMs, bucketMs) || (end === null ? 0 : instantOf(end.at));
  const before = landmarks.at(-2);
  const step = newest === undefined || before === undefined ? 1 : newest[1] - before[1];
  const perSeq = newest === undefined || before === undefined ? 1 : step / (newest[0] - before[0]);
  const since = newest === undefined ? 0 : Math.min(step, Math.max(1, perSeq * (position.seq - newest[0])));
  return {
    seq: Math.max(head?.seq ?? 0, position.seq),
    ordinal: head?.events ?? (newest === undefined ? 0 : newest[1] - 1 + since),
    ms: head?.receivedAtMs ?? fallbackMs,
  };
}

/** Adds points between two that are far apart, where it is known in which ten seconds the events between them came. */
function withActivity(knots: readonly Knot[], activity: RunTimeline['activity']): Knot[] {
  const bucketMs = ACTIVITY_BUCKET_SECONDS * 1_000;
  const oldestMs = (activity[0]?.[0] ?? Number.POSITIVE_INFINITY) * 1_000;
  return knots.flatMap((knot, index) => {
    const next = knots[index + 1];
    if (next === undefined || next.ms - knot.ms <= bucketMs || knot.ms < oldestMs) return [knot];
    const inner: { ms: number; events: number }[] = [];
    let events = 0;
    for (const [second, count] of activity) {
      const from = Math.max(second * 1_000, knot.ms);
      const to = Math.min(second * 1_000 + bucketMs, next.ms);
      if (to <= from) continue;
      inner.push({ ms: from, events });
      events += (count * (to - from)) / bucketMs;
      inner.push({ ms: to, events });
    }
    if (events === 0) return [knot];
    const between = inner.map(({ ms, events: before }) => ({
      seq: knot.seq + (before / events) * (next.seq - knot.seq),
      ordinal: knot.ordinal + (before / events) * (next.ordinal - knot.ordinal),
      ms,
    }));
    return [knot, ...between];
  });
}

/** The same points by the senders' clocks, and those of the events whose time is known. */
function sentKnots(arrived: readonly Knot[], anchors: readonly AxisAnchor[]): Knot[] {
  const column = (name: keyof Knot) => arrived.map((knot) => knot[name]);
  const [seqs, ordinals] = [column('seq'), column('ordinal')];
  const anchored = anchors.map(({ seq }) => seq);
  const sent = anchors.map(({ atMs }) => atMs);
  return [...new Set([...seqs, ...anchored])]
    .filter((seq) => seq >= seqs[0]! && seq <= seqs.at(-1)!)
    .sort((one, other) => one - other)
    .map((seq) => ({
      seq,
      ordinal: interpolate(seq, seqs, ordinals),
      ms: interpolate(seq, anchored, sent),
    }));
}

function anchorsOf(
  { attempts, end, first_seq: firstSeq, started_at: startedAt }: RunTimeline,
  { anchors, head }: { anchors: readonly AxisAnchor[]; head: AxisHead | undefined },
): AxisAnchor[] {
  const known: AxisAnchor[] = [
    ...anchors,
    ...attempts.map(({ seq, at }) => ({ seq, atMs: instantOf(at) })),
    ...(end === null ? [] : [{ seq: end.seq, atMs: instantOf(end.at) }]),
    ...(startedAt === null || attempts.length > 0 ? [] : [{ seq: firstSeq, atMs: instantOf(startedAt) }]),
    ...(head?.occurredAtMs === undefined ? [] : [{ seq: head.seq, atMs: head.occurredAtMs }]),
  ];
  return known
    .filter(({ atMs }) => Number.isFinite(atMs))
    .sort((one, other) => one.seq - other.seq || one.atMs - other.atMs);
}

/** One great step is a clock that was set, which says nothing about how long the run took. */
function isImported(ordered: readonly AxisAnchor[], arrivedMs: number): boolean {
  if (ordered.length < 3) return false;
  const sentMs = ordered.at(-1)!.atMs - ordered[0]!.atMs;
  const greatestMs = ordered.reduce(
    (most, { atMs }, index) => Math.max(most, atMs - (ordered[index - 1]?.atMs ?? atMs)),
    0,
  );
  return sentMs > 0 && arrivedMs * IMPORTED_TIMES < sentMs && greatestMs * 2 <= sentMs;
}

function medianOf(values: readonly number[]): number {
  if (values.length === 0) return 0;
  return [...values].sort((one, other) => one - other)[values.length >> 1]!;
}
