import { seededRandom } from '@runlog/cli/simulate/seeded-random';
import { createFleet } from '@runlog/cli/simulate/simulated-fleet';
import { encodeEvent } from '@runlog/cli/simulate/simulated-run';
import { decodeRunRecord } from '@runlog/records/run-record';
import { foldInto } from '@runlog/run-state/evolve';
import { deliverFigures } from '@runlog/run-state/figures/deliver-figures';
import { emptyFigures, foldFigures } from '@runlog/run-state/figures/run-figures';
import { RunDraft } from '@runlog/run-state/run-draft';
import { timelineOf } from '@runlog/run-state/timeline';
import type { RunTimeline } from '@runlog/schema/http/gateway-api';
import type { RunFigures } from '@runlog/schema/run/figures';
import type { EventLogEntry, RunSnapshot } from '@runlog/schema/run/snapshot';
import { TEST_EPOCH } from './event-factory.ts';
import { recording } from './recordings.ts';

/** What a page gets of a run, for those who only draw it. */
export interface DrawnRun {
  readonly timeline: RunTimeline;
  readonly figures: RunFigures;
  readonly entries: readonly EventLogEntry[];
  readonly emitters: RunSnapshot['emitters'];
  readonly head: { seq: number; receivedAtMs: number; occurredAtMs: number; events: number };
}

interface Sent {
  readonly text: string;
  readonly receivedAtMs: number;
}

/** Folds events, as JSON texts with bare NaN, into what a page gets. Offsets grow by `step`. */
export function drawnRun(sent: readonly Sent[], { step = 3 }: { step?: number } = {}): DrawnRun {
  const run = { cluster_id: 'c1', run_id: 'r1', group_id: 'default' };
  const draft = new RunDraft(null);
  const figures = emptyFigures(run);
  const entries: EventLogEntry[] = [];
  for (const [index, { text, receivedAtMs }] of sent.entries()) {
    const value = JSON.parse(text.replace(/\bNaN\b/g, '"NaN"')) as Record<string, unknown>;
    const record = decodeRunRecord(
      {
        offset: index * step,
        key: 'c1/r1/default',
        value: Buffer.from(JSON.stringify({ ...value, run_id: 'r1', group_id: 'default' })),
        headers: { received_at: new Date(receivedAtMs).toISOString() },
        timestampMs: receivedAtMs,
      },
      TEST_EPOCH,
    );
    if (record.kind !== 'event') throw new Error(`not an event: ${text}`);
    const folded = foldInto(draft, record);
    foldFigures(figures, record, { isRepeat: folded === 'repeated' });
    if (typeof folded === 'object') entries.push(folded);
  }
  const state = draft.state;
  if (state === null) throw new Error('a run needs an event');
  return {
    timeline: timelineOf(state),
    figures: deliverFigures(figures),
    entries,
    emitters: state.emitters,
    head: {
      seq: state.position.seq,
      receivedAtMs: Date.parse(state.last_received_at),
      occurredAtMs: Date.parse(state.last_event_at ?? state.last_received_at),
      events: state.total_events_received - state.duplicates,
    },
  };
}

/** A recording that is sent while it happens, or imported: then all of it arrives at once. */
export function recordedRun(name: 'short' | 'one-env', options: { isImported?: boolean } = {}): DrawnRun {
  return drawnRun(
    recording(name).lines.map((text) => ({
      text,
      receivedAtMs: options.isImported
        ? Date.parse('2026-06-01T12:00:00Z')
        : Date.parse((JSON.parse(text.replace(/\bNaN\b/g, '"NaN"')) as { timestamp: string }).timestamp),
    })),
  );
}

/**
 * A simulated run of four environments, with a quiet minute in its middle, from which 37 numbers never arrive, and an attempt
 * that is begun anew if `restartsAt` says after how many events.
 */
export function simulatedRun(
  options: { seed?: number; events?: number; restartsAt?: number } = {},
): DrawnRun {
  const { seed = 7, events = 1_100, restartsAt } = options;
  const random = seededRandom(seed);
  let nowMs = Date.parse('2026-11-27T07:10:36Z');
  const clock = () => {
    nowMs += 20 + random() ** 4 * 500;
    return nowMs;
  };
  const fleet = createFleet({ runs: 1, random, clock, name: 'sim' });
  const sent: Sent[] = [];
  let first: string | null = null;
  for (let made = 0; made < events; made += 1) {
    const next = fleet.next();
    if (next === null || /^RUN_F/.test(next.event.event_type)) break;
    if (made === Math.floor(events * 0.45)) nowMs += 8_000;
    const isLost = made >= events * 0.45 && made < events * 0.45 + 37;
    const text = encodeEvent(next.event).toString('utf8');
    first ??= text;
    if (!isLost) sent.push({ text, receivedAtMs: nowMs + 40 });
    if (made === restartsAt) sent.push({ text: restarted(first), receivedAtMs: nowMs + 60 });
  }
  return drawnRun(sent);
}

function restarted(first: string): string {
  const { emitter_id: _id, emitter_seq: _seq, ...event } = JSON.parse(first) as Record<string, unknown>;
  return JSON.stringify({ ...event, event_id: 'restarted' });
}
