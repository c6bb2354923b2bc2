import type { Severity } from '@runlog/schema/run/snapshot';
import { type EntryTest, entryTest } from '../read/event-filter.ts';

/** How subscribers see a run: which entries they want, and how often. Those with the same name share all work. */
export interface RunLens {
  readonly name: string;
  /** Null lets every entry through. */
  readonly test: EntryTest | null;
  readonly minIntervalMs: number;
}

/** Every entry, at once. */
export const wholeRun: RunLens = { name: '', test: null, minIntervalMs: 0 };

/** Makes the lens of a subscription. Filters that list the same values in another order have the same name. */
export function lensOf(asked: {
  readonly type?: readonly string[] | null | undefined;
  readonly not_type?: readonly string[] | null | undefined;
  readonly env?: readonly number[] | null | undefined;
  readonly slot?: readonly string[] | null | undefined;
  readonly severity?: readonly Severity[] | null | undefined;
  readonly q?: string | null | undefined;
  readonly min_interval_ms?: number | null | undefined;
}): RunLens {
  const filter = {
    type: asked.type?.toSorted(),
    not_type: asked.not_type?.toSorted(),
    env: asked.env?.toSorted((a, b) => a - b),
    slot: asked.slot?.toSorted(),
    severity: asked.severity?.toSorted(),
    q: asked.q?.toLowerCase(),
  };
  const test = entryTest(filter);
  const minIntervalMs = asked.min_interval_ms ?? 0;
  if (test === null && minIntervalMs === 0) return wholeRun;
  return { name: JSON.stringify([filter, minIntervalMs]), test, minIntervalMs };
}
