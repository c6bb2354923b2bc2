import { setTimeout as delay } from 'node:timers/promises';
import { formatRunKey, type RunKey } from '@runlog/schema/run/run-key';
import type { RunDocument } from '@runlog/schema/run/snapshot';
import { CommandError } from '../command.ts';
import { formatCount } from '../format.ts';
import { type GatewayTarget, getRun, runPage } from '../services/gateway-client.ts';
import type { RunsHeld } from './runs-held.ts';

/** The number of runs that the report lists. For an import of more runs it gives only totals. */
const RUNS_TOLD_MAX = 20;
const CATCH_UP_MS_MAX = 30_000;
const ASK_AGAIN_MS = 200;

/** Collects what an import did to each run, and says in the end what the gateway shows of it. */
export class ImportReport {
  readonly #target: GatewayTarget;
  readonly #runsHeld: RunsHeld;
  /** Bounded by `RUNS_TOLD_MAX` and one more. */
  readonly #runs = new Map<string, { run: RunKey; fresh: number }>();

  constructor(options: { target: GatewayTarget; runs: RunsHeld }) {
    this.#target = options.target;
    this.#runsHeld = options.runs;
  }

  count(run: RunKey, isNew: boolean): void {
    const key = formatRunKey(run);
    let counted = this.#runs.get(key);
    if (counted === undefined) {
      if (this.#runs.size > RUNS_TOLD_MAX) return;
      counted = { run, fresh: 0 };
      this.#runs.set(key, counted);
    }
    if (isNew) counted.fresh += 1;
  }

  /** One line a run, once the gateway shows what was sent. */
  async lines(signal: AbortSignal): Promise<string[]> {
    if (this.#runs.size > RUNS_TOLD_MAX) return [];
    const lines: string[] = [];
    try {
      for (const { run, fresh } of this.#runs.values()) {
        const asked = this.#runsHeld.asked(run);
        const before = asked?.kind === 'held' ? asked.distinct : 0;
        const document = await this.#shown(run, { distinct: before + fresh, signal });
        if (document !== null) lines.push(this.#line(document));
      }
    } catch (error) {
      // All of it is in the log, whether the gateway can show it now or not.
      if (!(error instanceof CommandError)) throw error;
      lines.push(`  ${error.message}`);
    }
    return lines;
  }

  /** Returns the run when the gateway has read that many distinct events of it, or after a while. */
  async #shown(run: RunKey, { distinct, signal }: { distinct: number; signal: AbortSignal }) {
    for (let waitedMs = 0; ; waitedMs += ASK_AGAIN_MS) {
      const document = await getRun(this.#target, run);
      const isShown = document !== null && distinctOf(document) >= distinct;
      if (isShown || signal.aborted || waitedMs >= CATCH_UP_MS_MAX) return document;
      await delay(ASK_AGAIN_MS);
    }
  }

  #line(document: RunDocument): string {
    const missing = document.missing === 0 ? '' : `, ${formatCount(document.missing)} missing`;
    const page = runPage(this.#target, document);
    return `  ${formatRunKey(document)}: ${formatCount(distinctOf(document))} events${missing}  ${page}`;
  }
}

function distinctOf(document: RunDocument): number {
  return document.total_events_received - document.duplicates;
}
