import type { RunChange } from '@runlog/run-feed/run-change';
import { RunStates } from '@runlog/run-feed/run-states';
import { initialRun } from '@runlog/run-state/initial-run';
import { isMilestone } from '@runlog/schema/events/event-types';
import { EVENT_LOG_ENTRIES_MAX, MILESTONES_MAX } from '@runlog/schema/limits';
import { parseRunKey } from '@runlog/schema/run/run-key';
import type { EventLogEntry, RunSnapshot, RunStatus } from '@runlog/schema/run/snapshot';

/** A feed for tests, whose records are made by hand. Its states move before the changes are handed out. */
export class MadeUpRuns {
  readonly epoch: string;
  readonly states = new RunStates();
  #offset = 0;

  constructor(options: { epoch?: string } = {}) {
    this.epoch = options.epoch ?? 'e1';
  }

  /** Appends events of one run and returns the change. */
  append(key: string, events: readonly MadeUpEvent[]): RunChange {
    const before = this.states.get(key) ?? null;
    let after = before;
    const entries: EventLogEntry[] = [];
    for (const event of events) {
      this.#offset += 1 + (event.offsetsSkipped ?? 0);
      const entry = event.isDuplicate ? null : makeEntry(event, this.#offset);
      if (entry !== null) entries.push(entry);
      after = fold(after ?? firstState(key, { epoch: this.epoch, seq: this.#offset }), entry, {
        event,
        seq: this.#offset,
        epoch: this.epoch,
      });
    }
    if (after === null) throw new Error('append needs an event');
    this.states.set(key, after);
    return { key, before, after, entries };
  }

  retire(key: string): RunChange {
    const before = this.states.get(key) ?? null;
    this.#offset += 1;
    this.states.delete(key);
    return { key, before, after: null, entries: [] };
  }
}

export interface MadeUpEvent {
  readonly eventType?: string;
  readonly isDuplicate?: boolean;
  readonly status?: RunStatus;
  /** The number of records of other runs before this one. */
  readonly offsetsSkipped?: number;
  readonly receivedAtMs?: number;
  readonly envId?: number | null;
  readonly metadata?: EventLogEntry['metadata'];
}

const START_MS = Date.UTC(2026, 0, 3, 23, 59, 50);

function makeEntry(event: MadeUpEvent, seq: number): EventLogEntry {
  const occurredAt = new Date(event.receivedAtMs ?? START_MS + seq * 10).toISOString();
  const eventType = event.eventType ?? 'EPOCH_COMPLETED';
  return {
    timestamp: occurredAt.slice(11, 19),
    event_type: eventType,
    env_id: event.envId === undefined ? seq % 4 : event.envId,
    message: eventType,
    metadata: { event_id: `event-${seq}`, ...event.metadata },
    episode: 0,
    seq,
    occurred_at: occurredAt,
  };
}

function fold(
  state: RunSnapshot,
  entry: EventLogEntry | null,
  record: { event: MadeUpEvent; seq: number; epoch: string },
): RunSnapshot {
  const receivedAtMs = record.event.receivedAtMs ?? START_MS + record.seq * 10;
  const second = Math.floor(receivedAtMs / 10_000) * 10;
  const log = entry === null ? state.event_log : [...state.event_log, entry];
  const evicted = log.length > EVENT_LOG_ENTRIES_MAX ? log[0] : undefined;
  const newestBucket = state.activity.at(-1);
  const activity: RunSnapshot['activity'] =
    newestBucket?.[0] === second
      ? [...state.activity.slice(0, -1), [second, newestBucket[1] + 1]]
      : [...state.activity, [second, 1]];
  return {
    ...state,
    position: { epoch: record.epoch, seq: record.seq },
    last_event_id: `event-${record.seq}`,
    last_received_at: new Date(receivedAtMs).toISOString(),
    status: record.event.status ?? 'running',
    total_events_received: state.total_events_received + 1,
    duplicates: state.duplicates + (entry === null ? 1 : 0),
    current_episode: state.current_episode + (entry?.event_type === 'BATCH_EPOCH_COMPLETED' ? 1 : 0),
    counts:
      entry === null
        ? state.counts
        : { ...state.counts, [entry.event_type]: (state.counts[entry.event_type] ?? 0) + 1 },
    event_log: evicted === undefined ? log : log.slice(1),
    evicted_seq: evicted?.seq ?? state.evicted_seq,
    milestones:
      entry !== null && isMilestone(entry.event_type)
        ? [...state.milestones, entry].slice(-MILESTONES_MAX)
        : state.milestones,
    activity: activity.slice(-60),
  };
}

function firstState(key: string, position: { epoch: string; seq: number }): RunSnapshot {
  const parts = parseRunKey(key);
  if (parts === null) throw new Error(`not a run key: ${key}`);
  return {
    ...initialRun(parts),
    position,
    first_seq: position.seq,
    started_at: new Date(START_MS).toISOString(),
    last_received_at: new Date(START_MS).toISOString(),
    last_event_at: new Date(START_MS).toISOString(),
    task_name: 'cifar_scale',
    reward_mode: 'shaped',
    slot_ids: ['r0c0', 'r0c1'],
    n_envs: 4,
    max_batches: 50,
    max_epochs: 150,
  };
}
