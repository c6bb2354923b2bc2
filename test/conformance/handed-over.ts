import { runGroupsSchema } from '@runlog/schema/run/snapshot';
import { z } from 'zod';
import { abilities } from './scenario.ts';

const run = z.string();
const seq = z.int().nullable();
const state = z.record(z.string(), z.unknown());

/** The lines that a client writes. It may write others too; they are ignored. */
export const reportSchemas = {
  ready: z.object({ ready: z.object({ can: z.array(z.enum(abilities)) }) }),
  snapshot: z.object({ snapshot: z.object({ run, state }) }),
  entry: z.object({ entry: z.object({ run, seq: z.int() }) }),
  gap: z.object({ gap: z.object({ run, after: z.int(), before: z.int(), count: z.int().nullable() }) }),
  state: z.object({ state: z.object({ run, state }) }),
  end: z.object({ end: z.object({ run, status: z.string() }) }),
  refused: z.object({ refused: z.object({ ch: z.string(), code: z.string() }) }),
  index: z.object({
    index: z.object({
      glob: z.string(),
      rows: z.array(z.string()),
      total: z.int(),
      counts: z.record(z.string(), z.int()).optional(),
      groups: runGroupsSchema.optional(),
    }),
  }),
  figures: z.object({
    figures: z.object({
      run,
      seq,
      figures: z.record(z.string(), z.array(z.number().nullable())),
    }),
  }),
  feed: z.object({ feed: z.enum(['stalled', 'live']) }),
  status: z.object({ status: z.string(), code: z.int().optional() }),
} as const;
export type Report = z.infer<(typeof reportSchemas)[keyof typeof reportSchemas]>;
type Index = z.infer<(typeof reportSchemas)['index']>['index'];
type Figures = z.infer<(typeof reportSchemas)['figures']>['figures'];

/** All that one client has reported, in the words of the scenarios. */
export class HandedOver {
  /** By run, one line for each thing that was handed over. */
  readonly lines = new Map<string, string[]>();
  /** By run, the state that the client holds. */
  readonly states = new Map<string, Readonly<Record<string, unknown>>>();
  readonly feed: string[] = [];
  readonly faults: string[] = [];
  can: ReadonlySet<string> | null = null;
  index: Index | null = null;
  figures: Figures | null = null;
  /** The close code after which the client gave up. */
  stopped: number | null = null;
  isClosed = false;

  of(run: string): readonly string[] {
    return this.lines.get(run) ?? [];
  }

  take(sent: unknown): void {
    const name = Object.keys(reportSchemas).find(
      (known) => typeof sent === 'object' && sent !== null && Object.hasOwn(sent, known),
    ) as keyof typeof reportSchemas | undefined;
    if (name === undefined) return;
    const parsed = reportSchemas[name].safeParse(sent);
    if (parsed.success) this.#note(parsed.data);
    else this.faults.push(`${JSON.stringify(sent).slice(0, 200)}: ${z.prettifyError(parsed.error)}`);
  }

  #note(report: Report): void {
    if ('ready' in report) this.can = new Set(report.ready.can);
    else if ('snapshot' in report) this.#snapshot(report.snapshot);
    else if ('state' in report) this.states.set(report.state.run, report.state.state);
    else if ('entry' in report) this.#line(report.entry.run, `entry ${report.entry.seq}`);
    else if ('gap' in report) this.#gap(report.gap);
    else if ('end' in report) this.#line(report.end.run, `end ${report.end.status}`);
    else if ('refused' in report) this.#refused(report.refused);
    else if ('index' in report) this.index = report.index;
    else if ('figures' in report) this.figures = report.figures;
    else if ('feed' in report) this.feed.push(report.feed);
    else if (report.status === 'stopped') this.stopped = report.code ?? 0;
    else if (report.status === 'closed') this.isClosed = true;
  }

  #snapshot({ run, state }: { run: string; state: Readonly<Record<string, unknown>> }): void {
    this.states.set(run, state);
    this.#line(run, `snapshot ${seqOf(state) ?? 'none'}`);
  }

  #gap({ run, after, before, count }: { run: string; after: number; before: number; count: number | null }) {
    this.#line(run, `gap after ${after} before ${before} count ${count ?? 'unknown'}`);
  }

  /** A refusal of a channel stands in the lines of its run, glob included. */
  #refused({ ch, code }: { ch: string; code: string }): void {
    this.#line(ch.slice(ch.indexOf(':') + 1), `refused ${code}`);
  }

  #line(run: string, line: string): void {
    const lines = this.lines.get(run);
    if (lines === undefined) this.lines.set(run, [line]);
    else lines.push(line);
  }
}

/** Returns the seq of a state's position; null if the run has no event yet. */
export function seqOf(state: Readonly<Record<string, unknown>>): number | null {
  return (state.position as { seq: number } | null)?.seq ?? null;
}
