import { setTimeout as delay } from 'node:timers/promises';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunRow } from '@runlog/schema/run/snapshot';
import { CommandError } from '../command.ts';
import { formatCount } from '../format.ts';
import type { ClientConfig } from '../services/client-config.ts';
import { listRuns, runPage } from '../services/gateway-client.ts';

/** The number of runs that the gateway is asked about. For an import of more runs the report gives only totals. */
const RUNS_TOLD_MAX = 20;
const CATCH_UP_MS_MAX = 5_000;
const ASK_AGAIN_MS = 200;

export interface ImportReport {
  /** Asks the gateway what it already has of a `run/group`. Is called before the run's first event is sent. */
  begins(run: string): Promise<void>;
  /** Reports what the gateway made of the import: how much was new (ingest cannot know), and where to see it. */
  lines(end: { accepted: number; signal: AbortSignal }): Promise<string[]>;
}

/** An import works without a gateway. If none answers, or it refuses this key, the report is empty. */
export function createImportReport(options: {
  config: ClientConfig;
  clusterId: string | undefined;
}): ImportReport {
  const { config, clusterId } = options;
  const runs = new Set<string>();
  const before = new Map<string, RunRow>();
  let silent = false;

  const ask = async (): Promise<RunRow[] | null> => {
    const rows: RunRow[] = [];
    try {
      for (const run of new Set([...runs].map((name) => name.split('/')[0]!))) {
        rows.push(...(await rowsOf(config, run, clusterId)));
      }
    } catch (error) {
      if (error instanceof CommandError) return null;
      throw error;
    }
    return rows.filter((row) => runs.has(`${row.run_id}/${row.group_id}`));
  };

  return {
    async begins(run) {
      if (silent) return;
      if (runs.size === RUNS_TOLD_MAX) silent = true;
      runs.add(run);
      const rows = await ask();
      if (rows === null) silent = true;
      for (const row of rows ?? [])
        if (`${row.run_id}/${row.group_id}` === run) before.set(formatRunKey(row), row);
    },
    async lines({ accepted, signal }) {
      if (silent || runs.size === 0) return [];
      let after: RunRow[] = [];
      let change = { received: 0, duplicates: 0 };
      for (let waitedMs = 0; waitedMs <= CATCH_UP_MS_MAX && !signal.aborted; waitedMs += ASK_AGAIN_MS) {
        const rows = await ask();
        if (rows === null) return [];
        after = rows;
        change = changeSince(before, after);
        if (change.received >= accepted) break;
        await delay(ASK_AGAIN_MS);
      }
      const lines = after.map((row) => runLine(config, row));
      // Others may have written to the same runs; then the totals say nothing about this import.
      if (change.received !== accepted) return lines;
      const fresh = formatCount(accepted - change.duplicates);
      return [
        `${fresh} new, ${formatCount(change.duplicates)} known already and not counted again`,
        ...lines,
      ];
    },
  };
}

async function rowsOf(config: ClientConfig, run: string, clusterId: string | undefined): Promise<RunRow[]> {
  // With a key, the key determines the cluster, and only ingest knows which.
  const cluster = config.key === undefined ? { cluster: clusterId ?? 'local' } : {};
  const page = await listRuns(config, { run, limit: '1000', ...cluster });
  return [...page.runs];
}

function changeSince(before: ReadonlyMap<string, RunRow>, after: readonly RunRow[]) {
  let received = 0;
  let duplicates = 0;
  for (const row of after) {
    const old = before.get(formatRunKey(row));
    received += row.total_events_received - (old?.total_events_received ?? 0);
    duplicates += row.duplicates - (old?.duplicates ?? 0);
  }
  return { received, duplicates };
}

function runLine(config: ClientConfig, row: RunRow): string {
  const distinct = formatCount(row.total_events_received - row.duplicates);
  const missing = row.missing === 0 ? '' : `, ${formatCount(row.missing)} missing`;
  return `  ${formatRunKey(row)}: ${distinct} events${missing}  ${runPage(config, row)}`;
}
