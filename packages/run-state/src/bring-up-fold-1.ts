import { eventNames } from '@runlog/schema/events/event-types';
import { instantOf } from '@runlog/schema/events/instant';
import { SNAPSHOT_BYTES_MAX } from '@runlog/schema/limits';
import type { EventLogEntry, RunSnapshot } from '@runlog/schema/run/snapshot';
import type { RunSnapshotFold1 } from '@runlog/schema/run/snapshot-fold-1';
import { initialRun } from './initial-run.ts';
import { sharesOf, withinShare } from './numbering.ts';
import { isAfterEnd } from './run-end.ts';

/**
 * Makes a snapshot of this version from one of version 1, for a run whose beginning the topic no longer holds. Counts and
 * numbering stay as they are. What version 1 did not keep is filled in where its entries and counts prove it; everything
 * else is unknown. It is pure, and the result folds on. If it would exceed the bound of a snapshot, the oldest entries of
 * the event log are left out, as if newer ones had pushed them out.
 */
export function bringUpFold1(former: RunSnapshotFold1): RunSnapshot {
  const { event_log, milestones, emitters, partial: _partial, ...kept } = former;
  const entries = event_log.map(broughtUpEntry);
  const state: RunSnapshot = {
    ...initialRun(former),
    ...kept,
    position: { ...former.position },
    ...beginningOf(former),
    ...endOf(entries, former.status),
    // Version 1 counted distinct events by type, unless there were too many types.
    attempt: former.counts[eventNames.TRAINING_STARTED] ?? 0,
    missing_is_exact: former.emitters_evicted === 0,
    event_log: entries,
    milestones: milestones.map(broughtUpEntry),
    emitters: broughtUpEmitters(emitters),
    // Repeats were counted but not listed.
    repeats: { unknown_below: former.position.seq + 1, ranges: [] },
  };
  return withinBound(state);
}

type StatusAndEnd = Pick<RunSnapshot, 'status' | 'end'>;
type FormerEntry = RunSnapshotFold1['event_log'][number];

function broughtUpEntry(entry: FormerEntry): EventLogEntry {
  return { ...entry, severity: 'info', values: {} };
}

/** `partial` was true also where nothing proved it. */
function beginningOf({
  partial,
  emitters,
}: RunSnapshotFold1): Pick<RunSnapshot, 'partial' | 'partial_because'> {
  const lacksFirst = Object.values(emitters).some(({ gaps }) => gaps[0]?.[0] === 1);
  if (lacksFirst) return { partial: true, partial_because: 'first_numbers_missing' };
  return { partial: partial ? null : false, partial_because: null };
}

/**
 * Returns the status and the end as this version tells them from the entries. With version 1 any event revived an ended run,
 * and an ended run's newest entry is its end.
 */
function endOf(entries: readonly EventLogEntry[], status: RunSnapshot['status']): StatusAndEnd {
  let told: StatusAndEnd = { status, end: null };
  for (const { event_type, message, occurred_at, seq } of entries) {
    const ended = endings[event_type];
    if (ended !== undefined) {
      // An event without a message was logged with its type. Then its reason, if it had any, was not kept.
      const reason = message === event_type ? null : message;
      told = { status: ended, end: { status: ended, at: occurred_at, reason, seq } };
    } else if (told.end !== null) {
      const isStart = event_type === eventNames.TRAINING_STARTED;
      if (isStart || isAfterEnd(told.end, instantOf(occurred_at))) told = { ...told, status: 'running' };
    }
  }
  return told;
}

const endings: Readonly<Record<string, 'finished' | 'failed'>> = {
  [eventNames.RUN_FINISHED]: 'finished',
  [eventNames.RUN_FAILED]: 'failed',
};

/** All emitters keep their numbering. Many of them had more gaps than their share is now. */
function broughtUpEmitters(emitters: RunSnapshotFold1['emitters']): RunSnapshot['emitters'] {
  const shares = sharesOf(Object.keys(emitters).length);
  const broughtUp = Object.entries(emitters).map(([id, { last, gaps, floor, lost, seen }]) => {
    const forgotten = floor > 0 && { forgotten: { through: floor, missing: lost } };
    return [id, withinShare({ last, gaps, ...forgotten, seen, ids: '' }, shares)];
  });
  return Object.fromEntries(broughtUp);
}

function withinBound(state: RunSnapshot): RunSnapshot {
  let excess = bytesOf(state) - SNAPSHOT_BYTES_MAX;
  if (excess <= 0) return state;
  let dropped = 0;
  while (excess > 0 && dropped < state.event_log.length) {
    excess -= bytesOf(state.event_log[dropped]!);
    dropped += 1;
  }
  const evicted_seq = state.event_log[dropped - 1]!.seq;
  return { ...state, evicted_seq, event_log: state.event_log.slice(dropped) };
}

function bytesOf(value: object): number {
  return Buffer.byteLength(JSON.stringify(value));
}
