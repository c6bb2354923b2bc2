import type { TelemetryEvent } from '@runlog/schema/events/event';
import type { FigureColumn } from '@runlog/schema/events/event-type';
import { eventNames, eventTypeOf } from '@runlog/schema/events/event-types';
import { instantOf } from '@runlog/schema/events/instant';
import { FIGURES_MAX, FIGURES_REFUSED_MAX } from '@runlog/schema/limits';
import type { RunKey } from '@runlog/schema/run/run-key';
import type { Position, RunSnapshot } from '@runlog/schema/run/snapshot';
import type { EventRecord } from '../run-record.ts';
import { ownFieldsOf } from './own-fields.ts';
import { addPoint, emptySeries, type Series } from './series.ts';

/** The figures of one run, folded from its records. One owner holds it and changes it in place. */
export interface RunFiguresState {
  readonly run: RunKey;
  /** The position of the last record folded. Its `seq` is -1 if there is none. */
  readonly position: Position;
  /** The number of distinct events folded. */
  ordinal: number;
  /** The number of TRAINING_STARTED events folded. */
  attempt: number;
  /** The names of figures beyond the bound. */
  readonly refused: Set<string>;
  /** By name, in the order in which they began. */
  readonly series: Map<string, Series>;
}

export function emptyFigures(run: RunKey): RunFiguresState {
  const { cluster_id, run_id, group_id } = run;
  return {
    run: { cluster_id, run_id, group_id },
    position: { epoch: '', seq: -1 },
    ordinal: 0,
    attempt: 0,
    refused: new Set(),
    series: new Map(),
  };
}

/** Returns figures that begin after the run's snapshot, because what they would hold of the time before is gone. */
export function figuresFrom(state: RunSnapshot): RunFiguresState {
  return {
    ...emptyFigures(state),
    position: { ...state.position },
    ordinal: state.total_events_received - state.duplicates,
    attempt: state.attempt,
  };
}

/**
 * Folds a record into the figures in place. A record at or below their position changes nothing. The caller says whether
 * the run folded it as a repeat.
 */
export function foldFigures(state: RunFiguresState, record: EventRecord, of: { isRepeat: boolean }): void {
  if (record.seq <= state.position.seq) return;
  state.position.epoch = record.epoch;
  state.position.seq = record.seq;
  if (of.isRepeat) return;
  state.ordinal += 1;
  const { event } = record;
  if (event.event_type === eventNames.TRAINING_STARTED) state.attempt += 1;
  const { figures } = eventTypeOf(event.event_type);
  if (figures === null || event.data == null) return;
  if (typeof figures === 'string') addOwnFields(state, { event, figures });
  else addNamedFields(state, { event, figures });
}

function addNamedFields(
  state: RunFiguresState,
  of: { event: TelemetryEvent; figures: Exclude<FigureColumn<TelemetryEvent>, string> },
): void {
  const { event, figures } = of;
  if (figures.unless?.(event) === true) return;
  const data = event.data!;
  const place = placeOf(state, event, figures.counter === null ? null : data[figures.counter]);
  for (const name in figures.fields) {
    const value = numberOf(data[figures.fields[name]!]);
    if (value !== null) add(state, { name, place, value });
  }
}

function addOwnFields(
  state: RunFiguresState,
  of: { event: TelemetryEvent; figures: 'own_names' | 'type_and_name' },
): void {
  const { event, figures } = of;
  const data = event.data!;
  let place: Place | null = null;
  for (const { field, name } of ownFieldsOf({ type: event.event_type, data, figures })) {
    const value = numberOf(data[field]);
    if (value === null) continue;
    place ??= placeOf(state, event, null);
    add(state, { name, place, value });
  }
}

interface Place {
  readonly x: number;
  readonly t: number;
}

function placeOf(state: RunFiguresState, event: TelemetryEvent, counter: unknown): Place {
  const step = event.data!.step;
  const x = isFiniteNumber(step) ? step : isFiniteNumber(counter) ? counter : state.ordinal;
  return { x: x + 0, t: instantOf(event.timestamp) };
}

/** JSON can hold numbers that no double can, such as 1e999, which is parsed to Infinity. */
function isFiniteNumber(value: unknown): value is number {
  return Number.isFinite(value);
}

/** Returns null if there is no point, and NaN for a value that is no finite number and for the texts that stand for one. */
function numberOf(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value + 0 : Number.NaN;
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? Number.NaN : null;
}

function add(state: RunFiguresState, of: { name: string; place: Place; value: number }): void {
  const { name, place, value } = of;
  let series = state.series.get(name);
  if (series === undefined) {
    if (state.series.size >= FIGURES_MAX) {
      if (state.refused.size < FIGURES_REFUSED_MAX) state.refused.add(name);
      return;
    }
    series = emptySeries(name);
    state.series.set(name, series);
  }
  addPoint(series, { x: place.x, t: place.t, value, attempt: state.attempt });
}
