import type { Payload, TelemetryEvent } from '@runlog/schema/event';
import {
  EVENT_LOG_ENTRIES_MAX,
  EVENT_TYPES_MAX,
  METADATA_BYTES_MAX,
  METADATA_CHARS_MAX,
  MILESTONES_MAX,
  SLOT_ID_CHARS_MAX,
  SLOT_IDS_MAX,
} from '@runlog/schema/limits';
import type { EventLogEntry, RunSnapshot } from '@runlog/schema/snapshot';
import { countActivity } from './activity.ts';
import { cutText } from './cut-text.ts';
import { hashEventId, windowHas, windowWith } from './event-id-window.ts';
import { logEntryOf } from './log-entry.ts';
import { isMilestone } from './milestone.ts';
import { type Numbered, numberEvent } from './numbering.ts';
import type { RunRecord } from './run-record.ts';

/** Version of what `evolve` makes of a record. It is part of every epoch; a change of it needs a rebuild. */
export const FOLD_VERSION = 1;

type EventRecord = Extract<RunRecord, { kind: 'event' }>;

/**
 * Folds one record into its run. Pure: no clock, no I/O, no randomness; the same records give the same state, byte for
 * byte, in every process and after `JSON.parse(JSON.stringify(state))`. A record at or below the state's position is a
 * no-op and returns the same reference, which makes redelivery harmless. `null` is the absent run: before its first
 * event, and after it was retired.
 */
export function evolve(state: RunSnapshot | null, record: RunRecord): RunSnapshot | null {
  if (state !== null && record.seq <= state.position.seq) return state;
  switch (record.kind) {
    case 'retired':
      return record.through !== null && state !== null && state.position.seq > record.through ? state : null;
    case 'event':
      return receive(state ?? begin(record), record);
    default: {
      const unreachable: never = record;
      throw new Error(`unknown record ${JSON.stringify(unreachable)}`);
    }
  }
}

function receive(state: RunSnapshot, record: EventRecord): RunSnapshot {
  const arrived: RunSnapshot = {
    ...state,
    position: { epoch: record.epoch, seq: record.seq },
    last_event_id: record.event.event_id,
    total_events_received: state.total_events_received + 1,
  };
  const { event } = record;
  if (event.emitter_id != null && event.emitter_seq != null) {
    const numbered = numberEvent(state, {
      emitterId: event.emitter_id,
      emitterSeq: event.emitter_seq,
      seq: record.seq,
      idIsKnown: () => idIsKnown(state, event.event_id),
    });
    return numbered.duplicate ? repeated(arrived) : apply(arrived, { record, numbered });
  }
  const hash = hashEventId(event.event_id);
  if (windowHas(state.event_id_window, hash)) return repeated(arrived);
  return apply(
    { ...arrived, event_id_window: windowWith(state.event_id_window, hash) },
    { record, numbered: null },
  );
}

/** A repeat moves the position and is counted; nothing else. */
function repeated(arrived: RunSnapshot): RunSnapshot {
  return { ...arrived, duplicates: arrived.duplicates + 1 };
}

/** Where a number does not decide: what the run still knows of event ids. */
function idIsKnown(state: RunSnapshot, eventId: string): boolean {
  return (
    windowHas(state.event_id_window, hashEventId(eventId)) ||
    state.event_log.some((entry) => entry.metadata.event_id === eventId) ||
    state.milestones.some((entry) => entry.metadata.event_id === eventId)
  );
}

function apply(state: RunSnapshot, input: { record: EventRecord; numbered: Numbered | null }): RunSnapshot {
  const { record, numbered } = input;
  const { event } = record;
  const counted: RunSnapshot = {
    ...state,
    ...(numbered === null
      ? null
      : {
          emitters: numbered.emitters,
          emitters_evicted: numbered.emitters_evicted,
          missing: numbered.missing,
          unsure: numbered.unsure,
        }),
    partial: state.partial && !isBeginning(event),
    last_received_at: newer(state.last_received_at, record.receivedAt),
    counts: countType(state.counts, event.event_type),
    activity: countActivity(state.activity, record.receivedAtMs),
  };
  if (event.event_type === 'RUN_HEARTBEAT') return counted;
  const entry = logEntryOf(event, { episode: state.current_episode, seq: record.seq });
  return {
    ...counted,
    last_event_at: later(state.last_event_at, event.timestamp),
    status: statusAfter(event),
    ...effectsOf(state, event),
    ...appendEntry(state, entry),
  };
}

/** What the event says about the run besides being counted and logged. */
function effectsOf(state: RunSnapshot, event: TelemetryEvent): Partial<RunSnapshot> | null {
  switch (event.event_type) {
    case 'TRAINING_STARTED': {
      const data = event.data as Payload<'TRAINING_STARTED'>;
      return {
        // The first TRAINING_STARTED is the run's beginning, whatever came before it; max_epochs comes from it alone.
        started_at: state.max_epochs === null ? event.timestamp : state.started_at,
        task_name: cutName(data.task),
        reward_mode: cutName(data.reward_mode),
        slot_ids: data.slot_ids.slice(0, SLOT_IDS_MAX).map(cutSlotId),
        n_envs: data.n_envs + 0,
        max_batches: data.max_batches + 0,
        max_epochs: data.max_epochs + 0,
        current_episode: (data.start_episode ?? 0) + 0,
      };
    }
    case 'BATCH_EPOCH_COMPLETED': {
      const data = event.data as Payload<'BATCH_EPOCH_COMPLETED'>;
      return {
        current_episode: data.episodes_completed + 0,
        current_batch: data.batch_idx + 0,
        batch_avg_accuracy: figure(data.avg_accuracy),
        batch_avg_reward: figure(data.avg_reward),
      };
    }
    case 'PPO_UPDATE_COMPLETED': {
      const data = event.data as Payload<'PPO_UPDATE_COMPLETED'>;
      // A skipped update carries the buffer's leftovers, not figures of an update.
      if (data.skipped) return null;
      return {
        ppo: {
          entropy: figure(data.entropy),
          clip_fraction: figure(data.clip_fraction),
          kl_divergence: figure(data.kl_divergence),
        },
      };
    }
    case 'SEED_GERMINATED':
      return { cumulative_germinated: state.cumulative_germinated + 1 };
    case 'SEED_FOSSILIZED':
      return { cumulative_fossilized: state.cumulative_fossilized + 1 };
    case 'SEED_PRUNED':
    case 'SEED_CULLED':
      return { cumulative_pruned: state.cumulative_pruned + 1 };
    default:
      return null;
  }
}

function statusAfter(event: TelemetryEvent): RunSnapshot['status'] {
  if (event.event_type === 'RUN_FINISHED') return 'finished';
  return event.event_type === 'RUN_FAILED' ? 'failed' : 'running';
}

function appendEntry(
  state: RunSnapshot,
  entry: EventLogEntry,
): Pick<RunSnapshot, 'event_log' | 'milestones' | 'evicted_seq'> {
  const full = state.event_log.length >= EVENT_LOG_ENTRIES_MAX;
  return {
    evicted_seq: full ? state.event_log[0]!.seq : state.evicted_seq,
    event_log: appended(state.event_log, { entry, max: EVENT_LOG_ENTRIES_MAX }),
    milestones: isMilestone(entry.event_type)
      ? appended(state.milestones, { entry, max: MILESTONES_MAX })
      : state.milestones,
  };
}

function appended(entries: EventLogEntry[], add: { entry: EventLogEntry; max: number }): EventLogEntry[] {
  const kept = entries.length >= add.max ? entries.slice(entries.length - add.max + 1) : entries.slice();
  kept.push(add.entry);
  return kept;
}

function countType(counts: RunSnapshot['counts'], eventType: string): RunSnapshot['counts'] {
  const known = Object.hasOwn(counts, eventType) || Object.keys(counts).length < EVENT_TYPES_MAX;
  const type = known ? eventType : OTHER_TYPES;
  return { ...counts, [type]: (counts[type] ?? 0) + 1 };
}

/** Lower case: no event type can be called so. */
const OTHER_TYPES = 'other';

/** Whether the log holds what came before: an emitter's first event, or the start of a training from nothing. */
function isBeginning(event: TelemetryEvent): boolean {
  if (event.emitter_seq === 1) return true;
  return (
    event.event_type === 'TRAINING_STARTED' &&
    ((event.data as Payload<'TRAINING_STARTED'>).start_episode ?? 0) === 0
  );
}

/** The later of two timestamps; text of one length and zone compares as time does, without parsing. */
function later(held: string | null, timestamp: string): string {
  if (held === null) return timestamp;
  const comparable = held.length === timestamp.length && held.slice(-6) === timestamp.slice(-6);
  if (comparable && held.endsWith('+00:00')) return timestamp > held ? timestamp : held;
  return Date.parse(timestamp) > Date.parse(held) ? timestamp : held;
}

/** Canonical ISO text (`decodeRunRecord`) sorts as time does. */
function newer(held: string, receivedAt: string): string {
  if (receivedAt <= held) return held;
  return receivedAt;
}

/** NaN and the infinities come as text; a figure that is not a number is not known. */
function figure(value: number | string): number | null {
  return typeof value === 'number' ? value + 0 : null;
}

function cutName(text: string): string {
  return cutText(text, { charsMax: METADATA_CHARS_MAX, jsonBytesMax: METADATA_BYTES_MAX });
}

function cutSlotId(text: string): string {
  return cutText(text, { charsMax: SLOT_ID_CHARS_MAX, jsonBytesMax: SLOT_ID_CHARS_MAX + 32 });
}

/** The state before the run's first event; its position lies below every record. */
function begin(record: EventRecord): RunSnapshot {
  return {
    cluster_id: record.run.cluster_id,
    run_id: record.run.run_id,
    group_id: record.run.group_id,
    position: { epoch: record.epoch, seq: -1 },
    first_seq: record.seq,
    evicted_seq: null,
    last_event_id: '',
    partial: true,
    started_at: record.event.timestamp,
    last_received_at: '',
    last_event_at: null,
    status: 'running',
    task_name: null,
    reward_mode: null,
    slot_ids: [],
    n_envs: null,
    current_episode: 0,
    current_batch: 0,
    max_batches: null,
    max_epochs: null,
    batch_avg_accuracy: null,
    batch_avg_reward: null,
    ppo: { entropy: null, clip_fraction: null, kl_divergence: null },
    total_events_received: 0,
    duplicates: 0,
    missing: 0,
    unsure: 0,
    cumulative_germinated: 0,
    cumulative_fossilized: 0,
    cumulative_pruned: 0,
    counts: {},
    emitters: {},
    emitters_evicted: 0,
    event_log: [],
    milestones: [],
    activity: [],
    event_id_window: '',
  };
}
