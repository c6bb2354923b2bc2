import { isDeepStrictEqual } from 'node:util';
import { emptySnapshot, rowOf } from '@runlog/run-state/delivery';
import { initialRun } from '@runlog/run-state/initial-run';
import type { Figure } from '@runlog/schema/run/figures';
import { parseRunKey, type RunKey } from '@runlog/schema/run/run-key';
import { parseChannel } from '@runlog/schema/stream/channels';
import { serverFrameSchemas } from '@runlog/schema/stream/server-frames';
import { z } from 'zod';
import { deliveredEntry } from '../support/entry-factory.ts';
import { figureOf } from '../support/figure-factory.ts';

/** A frame as a scenario writes it, or as it goes out. */
export type Frame = Readonly<Record<string, unknown>>;
type Fields = Record<string, unknown>;

/** The epoch of a position that names none. */
export const EPOCH = 'e1';

/**
 * Completes a frame of a scenario: whatever a snapshot, an entry, a row or a figure must have and the scenario does not
 * name gets some value. An entry may be its seq, or several a range such as `42..57`; a row may be its run key. Throws if
 * the contract has no such frame, or if it does not know a field.
 */
export function expandFrame(written: Frame): Frame {
  const frame: Fields = { ...written };
  const run = runOf(frame.ch);
  if (run !== null) {
    if (isObject(frame.snapshot)) frame.snapshot = snapshot(run, frame.snapshot);
    if (isObject(frame.reset)) {
      const { snapshot: state, figures, ...reset } = frame.reset;
      frame.reset = isObject(state)
        ? { ...reset, snapshot: snapshot(run, state) }
        : { ...reset, figures: wholeFigures(run, figures as Fields) };
    }
    if (isObject(frame.resume)) frame.resume = delta(frame.resume);
    if ('prev' in frame && String(frame.ch).startsWith('figures:')) Object.assign(frame, figuresStep(frame));
    else if ('prev' in frame) Object.assign(frame, delta(frame));
    else if (isObject(frame.figures)) frame.figures = wholeFigures(run, frame.figures);
  }
  if (Array.isArray(frame.rows)) frame.rows = frame.rows.map(row);
  check(frame);
  return frame;
}

/** Returns the seqs and objects of a list in which `42..57` stands for all seqs from 42 to 57. */
export function withoutRanges(items: readonly unknown[]): (number | Fields)[] {
  return items.flatMap((item): (number | Fields)[] => {
    if (typeof item === 'number') return [item];
    if (typeof item === 'object' && item !== null) return [item as Fields];
    const [, from, to] = /^(\d+)\.\.(\d+)$/.exec(String(item)) ?? [];
    if (from === undefined) throw new Error(`${String(item)} is neither a seq nor a range`);
    return Array.from({ length: Number(to) - Number(from) + 1 }, (_, at) => Number(from) + at);
  });
}

function entries(items: unknown): unknown[] {
  return withoutRanges((items ?? []) as unknown[]).map((item) =>
    deliveredEntry(typeof item === 'number' ? { seq: item } : item),
  );
}

function snapshot(run: RunKey, written: Fields): Fields {
  const { seq, epoch = EPOCH, event_log, milestones, ...rest } = written;
  return {
    ...emptySnapshot(run),
    position: seq === null ? null : { epoch, seq },
    event_log: entries(event_log),
    milestones: entries(milestones),
    ...rest,
  };
}

function delta(written: Fields): Fields {
  return { set: {}, ...written, entries: entries(written.entries) };
}

function wholeFigures(run: RunKey, written: Fields): Fields {
  const { seq, epoch = EPOCH, figures = {}, ...rest } = written;
  return {
    ...run,
    position: seq === null ? null : { epoch, seq },
    figures_refused: 0,
    refused: [],
    figures: Object.entries(figures as Record<string, (number | null)[]>).map(([name, values]) =>
      figureOf(values, { name }),
    ),
    ...rest,
  };
}

/** A step names each figure with `from` and the `values` of the buckets from there on. */
function figuresStep(written: Fields): Fields {
  const steps = (written.figures ?? {}) as Record<string, { from: number; values: (number | null)[] }>;
  return {
    figures_refused: 0,
    refused: [],
    ...written,
    figures: Object.entries(steps).map(([name, { from, values, ...rest }]) => ({
      ...figureOf(values, { name, points: from + values.length, ...(rest as Partial<Figure>) }),
      from,
    })),
  };
}

const RECEIVED_AT = '2026-01-04T00:00:00.000Z';

function row(written: unknown): unknown {
  const { key, ...rest } = (typeof written === 'string' ? { key: written } : written) as Fields;
  const position = { epoch: EPOCH, seq: 1 };
  const state = { ...initialRun(parseRunKey(String(key))!), position, last_received_at: RECEIVED_AT };
  return { ...rowOf(state, { nowMs: Date.parse(RECEIVED_AT), spark: [] }), ...rest };
}

function runOf(ch: unknown): RunKey | null {
  const channel = typeof ch === 'string' ? parseChannel(ch) : null;
  return channel === null || channel.kind === 'runs' ? null : parseRunKey(channel.key);
}

/** A schema drops fields that it does not know. What it leaves unchanged is what the contract knows. */
function check(frame: Frame): void {
  const sent: unknown = JSON.parse(JSON.stringify(frame));
  const faults: string[] = [];
  for (const [name, schema] of Object.entries(serverFrameSchemas)) {
    const parsed = schema.safeParse(sent);
    if (parsed.success && isDeepStrictEqual(JSON.parse(JSON.stringify(parsed.data)), sent)) return;
    if (parsed.success) faults.push(`as ${name} it has fields that the contract does not know`);
    else if (Object.keys(schema.shape).every((field) => field in frame)) {
      faults.push(`as ${name}: ${z.prettifyError(parsed.error)}`);
    }
  }
  throw new Error(
    `the contract has no such frame: ${JSON.stringify(sent).slice(0, 200)}\n${faults.join('\n')}`,
  );
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
