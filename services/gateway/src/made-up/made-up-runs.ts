import { FigureStates } from '@runlog/run-feed/figure-states';
import type { RunChange } from '@runlog/run-feed/run-change';
import { RunStates } from '@runlog/run-feed/run-states';
import { foldInto } from '@runlog/run-state/evolve';
import { emptyFigures, foldFigures } from '@runlog/run-state/figures/run-figures';
import { RunDraft } from '@runlog/run-state/run-draft';
import type { EventRecord } from '@runlog/run-state/run-record';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import { parseRunKey, type RunKey } from '@runlog/schema/run/run-key';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { eventTypeCases } from '../../../../test/support/event-type-cases.ts';
import type { MadeUpHistory } from './made-up-history.ts';

/** A feed for tests: the fold of events made by hand. Its states move before the changes are handed out. */
export class MadeUpRuns {
  readonly epoch: string;
  /** Keeps every event; null if nobody reads the past. */
  readonly history: MadeUpHistory | null;
  readonly states = new RunStates();
  readonly figures = new FigureStates();
  #offset = 0;

  constructor(options: { epoch?: string; history?: MadeUpHistory } = {}) {
    this.epoch = options.epoch ?? 'e1';
    this.history = options.history ?? null;
  }

  /** Appends events of one run and returns the change. */
  append(key: string, events: readonly MadeUpEvent[]): RunChange {
    const run = parseRunKey(key);
    if (run === null) throw new Error(`not a run key: ${key}`);
    const before = this.states.get(key) ?? null;
    const draft = new RunDraft(before);
    const figures = this.figures.get(key) ?? emptyFigures(run);
    this.figures.set(key, figures);
    const entries: EventLogEntry[] = [];
    for (const event of events) {
      this.#offset += 1 + (event.offsetsSkipped ?? 0);
      const eventId = event.isDuplicate ? draft.state?.last_event_id : undefined;
      const record = this.#recordOf(event, { run, key, eventId });
      const folded = foldInto(draft, record);
      foldFigures(figures, record, { isRepeat: folded === 'repeated' });
      const entry = typeof folded === 'object' ? folded : null;
      if (entry !== null) entries.push(entry);
      const { seq, receivedAt, event: sent } = record;
      this.history?.add(key, { seq, receivedAt, entry, event: sent, isDuplicate: folded === 'repeated' });
    }
    const after = draft.state;
    if (after === null) throw new Error('append needs an event');
    this.states.set(key, after);
    return { key, before, after, entries };
  }

  retire(key: string): RunChange {
    const before = this.states.get(key) ?? null;
    this.#offset += 1;
    this.states.delete(key);
    this.figures.delete(key);
    this.history?.forget(key);
    return { key, before, after: null, entries: [] };
  }

  #recordOf(
    {
      eventType = 'EPOCH_COMPLETED',
      data,
      message,
      receivedAtMs = START_MS + this.#offset * 10,
      envelope,
    }: MadeUpEvent,
    of: { run: RunKey; key: string; eventId: string | undefined },
  ): EventRecord {
    const seq = this.#offset;
    const receivedAt = new Date(receivedAtMs).toISOString();
    const event: TelemetryEvent = {
      event_id: of.eventId ?? `event-${seq}`,
      event_type: eventType,
      timestamp: receivedAt,
      run_id: of.run.run_id,
      group_id: of.run.group_id,
      message,
      data: { ...eventTypeCases(eventType)[0]?.event.data, env_id: seq % 4, ...data },
      ...envelope,
    };
    return {
      kind: 'event',
      key: of.key,
      run: of.run,
      seq,
      epoch: this.epoch,
      event,
      receivedAt,
      receivedAtMs,
    };
  }
}

export interface MadeUpEvent {
  readonly eventType?: string;
  /** Fields that differ from those of the type's fixture. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly message?: string;
  /** It has the id of the run's event before it. */
  readonly isDuplicate?: boolean;
  /** The number of records of other runs before this one. */
  readonly offsetsSkipped?: number;
  readonly receivedAtMs?: number;
  /** What the sender said beside it. Without a `timestamp` its clock is that of the gateway. */
  readonly envelope?: Partial<Pick<TelemetryEvent, 'timestamp' | 'severity' | 'emitter_id' | 'emitter_seq'>>;
}

const START_MS = Date.UTC(2026, 0, 3, 23, 59, 50);
