import { eventTypeOf } from '@runlog/schema/events/event-types';
import { instantOf } from '@runlog/schema/events/instant';
import { EVENT_LOG_ENTRIES_MAX, EVENT_TYPES_MAX } from '@runlog/schema/limits';
import type { EventLogEntry, RunSnapshot } from '@runlog/schema/run/snapshot';
import { countActivity } from './activity.ts';
import { hashEventId, windowHas, windowWith } from './event-id-window.ts';
import { initialRun } from './initial-run.ts';
import { isLandmarkDue } from './landmarks.ts';
import { logEntryOf } from './log-entry.ts';
import { idsAfter } from './newest-ids.ts';
import { type NumberStep, numberEvent } from './numbering.ts';
import { parseReceivedAt } from './received-at.ts';
import { repeatsWith } from './repeats.ts';
import { beganWithout, firstNumberCame } from './run-beginning.ts';
import { RunDraft } from './run-draft.ts';
import { moveStatus } from './run-end.ts';
import type { EventRecord, RunRecord } from './run-record.ts';
import { usualInterval } from './usual-interval.ts';

/**
 * Folds one record into its run. Pure: no clock, no I/O, no randomness; the same records give the same state, byte for
 * byte, in every process and after `JSON.parse(JSON.stringify(state))`. A record at or below the state's position is a
 * no-op and returns the same reference, which makes redelivery harmless. `null` is the absent run: before its first
 * event, and after it was retired.
 */
export function evolve(state: RunSnapshot | null, record: RunRecord): RunSnapshot | null {
  const draft = new RunDraft(state);
  foldInto(draft, record);
  return draft.state;
}

/** The outcome of folding a record: the entry that it added to the event log, or why it added none. */
export type Folded =
  | EventLogEntry
  /** The state changed, but nothing was logged: the record is a heartbeat or a retirement. */
  | 'unlogged'
  /** The event came before. Only its arrival was counted. */
  | 'repeated'
  /** The state did not change. */
  | 'unchanged';

/**
 * Folds a record into a draft, which saves copies when many records of one run are folded. The draft ends in the state that
 * `evolve` would have reached record by record.
 */
export function foldInto(draft: RunDraft, record: RunRecord): Folded {
  const { state } = draft;
  if (state !== null && record.seq <= state.position.seq) return 'unchanged';
  switch (record.kind) {
    case 'retired':
      if (state === null) return 'unchanged';
      if (record.through !== null && state.position.seq > record.through) return 'unchanged';
      draft.replace(null);
      return 'unlogged';
    case 'event':
      if (state === null) draft.replace(begin(record));
      return receive(draft, record);
    default: {
      const unreachable: never = record;
      throw new Error(`unknown record ${JSON.stringify(unreachable)}`);
    }
  }
}

function receive(draft: RunDraft, record: EventRecord): Folded {
  const { event, seq } = record;
  const state = draft.writable();
  const previousSeq = state.position.seq;
  const hash = hashEventId(event.event_id);
  // A repeat is judged by the state before this record.
  if (event.emitter_id != null && event.emitter_seq != null) {
    const own = draft.ownEmitter(event.emitter_id);
    if (own !== null && event.emitter_seq === own.last + 1) {
      // Nearly every number is the next one in a row. This does what `numberEvent` would do for it.
      own.last = event.emitter_seq;
      own.seen = seq;
      own.ids = idsAfter(own.ids, { skipped: 0, hash, idsMax: draft.shares.idsMax });
      arrive(state, record);
      return apply(draft, record);
    }
    const numbered = {
      emitterId: event.emitter_id,
      emitterSeq: event.emitter_seq,
      eventId: event.event_id,
      hash,
    };
    const step = numberEvent(state, numbered, draft.shares);
    arrive(state, record);
    switch (step.kind) {
      case 'repeat':
        return countRepeat(state, { previousSeq, seq });
      case 'conflict':
        state.conflicts += 1;
        // Its number belongs to another event, so the id alone can tell that this one came again.
        state.event_id_window = windowWith(state.event_id_window, hash);
        break;
      case 'new':
        countNumber(draft, { step, emitterId: event.emitter_id, emitterSeq: event.emitter_seq });
        break;
      default: {
        const unreachable: never = step;
        throw new Error(`unknown step ${JSON.stringify(unreachable)}`);
      }
    }
  } else {
    const isRepeat = windowHas(state.event_id_window, hash);
    arrive(state, record);
    if (isRepeat) return countRepeat(state, { previousSeq, seq });
    state.event_id_window = windowWith(state.event_id_window, hash);
  }
  return apply(draft, record);
}

/** Makes the changes that every record makes, repeats included. */
function arrive(state: RunSnapshot, record: EventRecord): void {
  state.position.epoch = record.epoch;
  state.position.seq = record.seq;
  state.last_event_id = record.event.event_id;
  state.total_events_received += 1;
}

function countRepeat(state: RunSnapshot, at: { previousSeq: number; seq: number }): 'repeated' {
  state.duplicates += 1;
  state.repeats = repeatsWith(state.repeats, at);
  return 'repeated';
}

function countNumber(
  draft: RunDraft,
  at: { step: Extract<NumberStep, { kind: 'new' }>; emitterId: string; emitterSeq: number },
): void {
  const { step, emitterId, emitterSeq } = at;
  const state = draft.writable();
  const to = { ...step.emitter, seen: state.position.seq, ids: step.ids };
  if (step.isFirst) draft.addEmitter(emitterId, to);
  else draft.setEmitter(emitterId, to);
  state.missing = Math.min(state.missing + step.missing, Number.MAX_SAFE_INTEGER);
  if (step.unsure) state.unsure += 1;
  // The emitter may be an evicted one. Then its numbers up to this one may have arrived or not.
  if (step.isFirst && step.unsure && emitterSeq > 1) state.missing_is_exact = false;
  if (step.isFirst && !step.unsure && emitterSeq > 1) beganWithout(state, 'first_numbers_missing');
  else if (emitterSeq === 1) firstNumberCame(state);
}

function apply(draft: RunDraft, record: EventRecord): Folded {
  const { event, seq, receivedAt } = record;
  const state = draft.writable();
  const type = eventTypeOf(event.event_type);
  // Canonical ISO text (`decodeRunRecord`) sorts as time does.
  if (receivedAt > state.last_received_at) {
    if (state.last_received_at !== '') {
      const heldMs = draft.lastReceivedAtMs ?? parseReceivedAt(state.last_received_at);
      state.interval_ms = usualInterval(state.interval_ms, record.receivedAtMs - heldMs);
    }
    state.last_received_at = receivedAt;
    draft.lastReceivedAtMs = record.receivedAtMs;
  }
  const ordinal = state.total_events_received - state.duplicates;
  if (isLandmarkDue(state.landmarks, ordinal)) {
    draft.addLandmark([seq, ordinal, receivedAt, state.current_episode]);
  }
  countType(draft.writableCounts(), event.event_type);
  countActivity(draft.writableActivity(), record.receivedAtMs);
  if (type.page.class === 'unlogged') return 'unlogged';
  const entry = logEntryOf(event, { type, episode: state.current_episode, seq });
  state.last_event_at = later(state.last_event_at, event.timestamp);
  moveStatus(state, { event, status: type.status });
  type.effect?.(state, event);
  if (state.event_log.length >= EVENT_LOG_ENTRIES_MAX) state.evicted_seq = state.event_log[0]!.seq;
  draft.appendToEventLog(entry);
  if (type.page.class === 'individual') draft.appendToMilestones(entry);
  return entry;
}

function countType(counts: RunSnapshot['counts'], eventType: string): void {
  const known = Object.hasOwn(counts, eventType) || Object.keys(counts).length < EVENT_TYPES_MAX;
  const type = known ? eventType : OTHER_TYPES;
  counts[type] = (counts[type] ?? 0) + 1;
}

/** No event type can have this name, because it is in lower case. */
const OTHER_TYPES = 'other';

/** Returns the later of two timestamps. Texts of the same length and zone compare as times do, without parsing. */
function later(held: string | null, timestamp: string): string {
  if (held === null) return timestamp;
  // A blank may stand for the `T`, and no fraction at all for one of nothing.
  const comparable =
    held.length === timestamp.length &&
    held[10] === timestamp[10] &&
    held[19] === timestamp[19] &&
    held.endsWith(UTC) &&
    timestamp.endsWith(UTC);
  if (comparable) return timestamp > held ? timestamp : held;
  return instantOf(timestamp) > instantOf(held) ? timestamp : held;
}

const UTC = '+00:00';

/** The state that a run's first record is folded into. The record is not yet known to be the run's beginning. */
function begin(record: EventRecord): RunSnapshot {
  return {
    ...initialRun(record.run),
    position: { epoch: record.epoch, seq: -1 },
    first_seq: record.seq,
    started_at: record.event.timestamp,
  };
}
