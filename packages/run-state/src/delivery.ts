import { isMilestone } from '@runlog/schema/events/event-types';
import { instantOf } from '@runlog/schema/events/instant';
import { ACTIVITY_BUCKET_SECONDS, EVENT_LOG_ENTRIES_MAX, MILESTONES_MAX } from '@runlog/schema/limits';
import type { RunKey } from '@runlog/schema/run/run-key';
import type {
  DeliveredEntry,
  DeliveredSnapshot,
  EventLogEntry,
  RunDocument,
  RunHead,
  RunRow,
  RunSnapshot,
} from '@runlog/schema/run/snapshot';
import type { RunDelta, SnapshotChanges } from '@runlog/schema/stream/server-frames';
import { freshnessOf, relativeTime } from './freshness.ts';
import { initialRun } from './initial-run.ts';
import { conditionOf } from './run-condition.ts';
import { sameJson } from './same-json.ts';

/** What clients get is the folded state without its private window, plus the values that depend on the current time. */

export function deliverEntry(entry: EventLogEntry, nowMs: number): DeliveredEntry {
  return { ...entry, relative_time: relativeTime({ occurredAtMs: instantOf(entry.occurred_at), nowMs }) };
}

/** Without the ids, which only the fold needs. */
function deliverEmitters(emitters: RunSnapshot['emitters']): DeliveredSnapshot['emitters'] {
  const delivered: DeliveredSnapshot['emitters'] = {};
  for (const [id, { ids: _, ...emitter }] of Object.entries(emitters)) delivered[id] = emitter;
  return delivered;
}

export function deliverSnapshot(state: RunSnapshot, nowMs: number): DeliveredSnapshot {
  const { event_id_window: _window, landmarks: _landmarks, ...delivered } = state;
  return {
    ...delivered,
    event_log: state.event_log.map((entry) => deliverEntry(entry, nowMs)),
    milestones: state.milestones.map((entry) => deliverEntry(entry, nowMs)),
    emitters: deliverEmitters(state.emitters),
    freshness: freshnessOf({ lastReceivedAtMs: Date.parse(state.last_received_at), nowMs }),
    ...conditionOf(state, nowMs),
  };
}

/** The run as REST delivers it, with its landmarks. */
export function deliverDocument(state: RunSnapshot, nowMs: number): RunDocument {
  return { ...deliverSnapshot(state, nowMs), landmarks: state.landmarks };
}

/** The snapshot of a run that has no event yet: `position` is null, its first delta has `prev: null`. */
export function emptySnapshot(key: RunKey): DeliveredSnapshot {
  const {
    event_id_window: _window,
    landmarks: _landmarks,
    event_log: _log,
    milestones: _milestones,
    ...delivered
  } = initialRun(key);
  return {
    ...{ ...delivered, position: null, event_log: [], milestones: [] },
    ...{ freshness: 'stale', state: 'quiet', state_since: null },
  };
}

/** One line of the run index. `spark` holds the newest points of the run's accuracy. */
export function rowOf(state: RunHead, of: { nowMs: number; spark: readonly number[] }): RunRow {
  const { nowMs, spark } = of;
  return {
    cluster_id: state.cluster_id,
    run_id: state.run_id,
    group_id: state.group_id,
    status: state.status,
    ...conditionOf(state, nowMs),
    task_name: state.task_name,
    started_at: state.started_at,
    last_event_at: state.last_event_at,
    last_received_at: state.last_received_at,
    current_episode: state.current_episode,
    current_batch: state.current_batch,
    max_batches: state.max_batches,
    batch_avg_accuracy: state.batch_avg_accuracy,
    batch_avg_reward: state.batch_avg_reward,
    events_per_second: eventsPerSecond(state, nowMs),
    total_events_received: state.total_events_received,
    duplicates: state.duplicates,
    missing: state.missing,
    missing_is_exact: state.missing_is_exact,
    attempt: state.attempt,
    end: state.end,
    interval_ms: state.interval_ms,
    spark: [...spark],
    seq: state.position.seq,
  };
}

/** The average over the current bucket and the one before it, which is 10 to 20 s, so that a slow run does not flicker. */
export function eventsPerSecond(state: Pick<RunHead, 'activity'>, nowMs: number): number {
  const bucket = Math.floor(nowMs / 1_000 / ACTIVITY_BUCKET_SECONDS) * ACTIVITY_BUCKET_SECONDS;
  const from = bucket - ACTIVITY_BUCKET_SECONDS;
  let events = 0;
  for (const [second, count] of state.activity) if (second >= from) events += count;
  return Math.round((events / (nowMs / 1_000 - from)) * 10) / 10;
}

/**
 * Returns the entries after `seq` that the state still holds, in order, from the event log and the milestones. They always
 * bring a client from `seq` to this state (`applyDelta`). They are complete if `seq` is not below `evicted_seq`.
 */
export function entriesSince(state: RunSnapshot, seq: number): EventLogEntry[] {
  const eventLog = state.event_log.filter((entry) => entry.seq > seq);
  const oldestInEventLog = eventLog[0]?.seq ?? Number.POSITIVE_INFINITY;
  const milestones = state.milestones.filter((entry) => entry.seq > seq && entry.seq < oldestInEventLog);
  return [...milestones, ...eventLog];
}

/**
 * Returns the `set` of a step: the top-level fields that differ, and of `counts` and `emitters` the members that differ. If an
 * emitter was forgotten in between, `emitters` is whole and `replaces` says so. With `before: null`, the client holds the
 * empty snapshot.
 */
export function changesBetween(
  before: RunSnapshot | null,
  after: RunSnapshot,
  nowMs: number,
): Pick<RunDelta, 'set' | 'replaces'> {
  const from: object = before ?? emptySnapshot(after);
  const changes: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(after)) {
    if (derivedFields.has(field) || mergedFields.has(field)) continue;
    const held = (from as Record<string, unknown>)[field];
    if (!sameJson(held, value)) changes[field] = value;
  }
  const counts = changedMembers(before?.counts ?? {}, after.counts);
  if (counts !== null) changes.counts = counts;
  const emitters = changedMembers(before?.emitters ?? {}, after.emitters);
  const isWhole = before !== null && hasLost(before.emitters, after.emitters);
  if (emitters !== null || isWhole) {
    changes.emitters = deliverEmitters(isWhole ? after.emitters : (emitters ?? {}));
  }
  if (before === null || before.last_received_at !== after.last_received_at) {
    changes.freshness = freshnessOf({ lastReceivedAtMs: Date.parse(after.last_received_at), nowMs });
  }
  // Time may have changed the state that the client holds, so it goes with every change.
  if (before !== after) Object.assign(changes, conditionOf(after, nowMs));
  const set = changes as SnapshotChanges;
  return isWhole ? { set, replaces: ['emitters'] } : { set };
}

/** Whether some member is gone. */
function hasLost(before: object, after: object): boolean {
  if (before === after) return false;
  for (const name of Object.keys(before)) if (!Object.hasOwn(after, name)) return true;
  return false;
}

/** Returns the members that are new or differ; null if there are none. The fold makes a new object of what it changes. */
function changedMembers<Member>(
  before: Readonly<Record<string, Member>>,
  after: Readonly<Record<string, Member>>,
): Record<string, Member> | null {
  if (before === after) return null;
  const changed: Record<string, Member> = {};
  let some = false;
  for (const name of Object.keys(after)) {
    const member = after[name]!;
    if (Object.hasOwn(before, name) && before[name] === member) continue;
    changed[name] = member;
    some = true;
  }
  return some ? changed : null;
}

/**
 * Returns the `set` of a step that is right whatever the client holds of this run: every field, whole. `replaces` is there if
 * the client may hold emitters that were forgotten since.
 */
export function wholeSet(state: RunSnapshot, nowMs: number): Pick<RunDelta, 'set' | 'replaces'> {
  const {
    event_log: _log,
    milestones: _milestones,
    position: _position,
    ...set
  } = deliverSnapshot({ ...state, event_log: [], milestones: [] }, nowMs);
  return state.emitters_evicted > 0 ? { set, replaces: ['emitters'] } : { set };
}

/** These fields follow from the entries, are in the frame itself, or are never delivered. */
const derivedFields = new Set(['event_log', 'milestones', 'position', 'event_id_window', 'landmarks']);

/** These fields are merged by key. */
const mergedFields = new Set(['counts', 'emitters']);

/**
 * Applies the next delta to a client's snapshot. `epoch` is that of the subscription. The caller has checked that
 * `delta.prev` is the snapshot's `seq`, or null if its position is null.
 */
export function applyDelta(
  snapshot: DeliveredSnapshot,
  step: { delta: RunDelta; epoch: string },
): DeliveredSnapshot {
  const { delta, epoch } = step;
  const { counts, emitters, ...set } = delta.set;
  const heldEmitters = delta.replaces?.includes('emitters') === true ? {} : snapshot.emitters;
  return {
    ...snapshot,
    ...set,
    counts: counts === undefined ? snapshot.counts : { ...snapshot.counts, ...counts },
    emitters: emitters === undefined ? snapshot.emitters : { ...heldEmitters, ...emitters },
    position: { epoch, seq: delta.seq },
    event_log: newest([...snapshot.event_log, ...delta.entries], EVENT_LOG_ENTRIES_MAX),
    milestones: newest(
      [...snapshot.milestones, ...delta.entries.filter((entry) => isMilestone(entry.event_type))],
      MILESTONES_MAX,
    ),
  };
}

function newest<Item>(items: Item[], max: number): Item[] {
  return items.length > max ? items.slice(items.length - max) : items;
}
