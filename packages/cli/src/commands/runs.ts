import type { RunsPage } from '@runlog/schema/http/gateway-api';
import { formatRunKey } from '@runlog/schema/run/run-key';
import { runWhereFields } from '@runlog/schema/run/run-where';
import {
  type RunGroupField,
  type RunRow,
  runGroupFieldSchema,
  runStateSchema,
} from '@runlog/schema/run/snapshot';
import { printable } from '@runlog/service-kit/printable';
import { type Command, exitCodes, parseCommandLine, wholeNumber } from '../command.ts';
import { formatAge, formatCount, formatFigure, formatRate } from '../format.ts';
import { gatewayVariables, readClientConfig } from '../services/client-config.ts';
import { listRuns } from '../services/gateway-client.ts';
import { stateText } from '../state-text.ts';
import { textTable } from '../text-table.ts';

const PAGE_RUNS = 1_000;

const options = {
  cluster: { type: 'string', value: 'NAME', help: 'only runs of this cluster' },
  run: { type: 'string', value: 'GLOB', help: 'only runs whose name matches, such as "sim-*"' },
  status: {
    type: 'string',
    value: 'STATES',
    help: `only runs that are ${runStateSchema.options.join(', ')}: one of these, or several with commas`,
  },
  text: {
    type: 'string',
    value: 'TEXT',
    help: 'only runs that have each of these words in their key or task',
  },
  task: { type: 'string', value: 'TEXT', help: 'only runs that have this part in their task' },
  where: {
    type: 'string',
    value: 'CONDITIONS',
    help: `only runs that meet these, such as "accuracy>80,missing=0"; there are ${runWhereFields.join(', ')}`,
  },
  sort: {
    type: 'string',
    value: 'FIELD',
    help: 'what to sort by, with - before it for descending, such as -accuracy, or state for what failed first',
  },
  'group-by': {
    type: 'string',
    value: 'FIELD',
    help: `a table for each value of FIELD, with how many runs have it: ${runGroupFieldSchema.options.join(', ')}`,
  },
  limit: { type: 'string', value: 'N', help: 'the first N runs (default: 50)' },
  json: { type: 'boolean', help: 'one JSON object per line' },
  url: { type: 'string', value: 'URL', help: 'address of the gateway; overrides RUNLOG_GATEWAY_URL' },
} as const;

export const command: Command = {
  usage: '[options]',
  description: 'Lists runs; the run with the newest event comes first unless --sort says otherwise.',
  options,
  examples: [
    'runlog runs',
    'runlog runs --status quiet,lost_contact',
    'runlog runs --run "sim-*" --limit 500',
    'runlog runs --where "accuracy>80,missing=0" --sort -accuracy',
    'runlog runs --sort state --task cifar',
    'runlog runs --group-by cluster_id',
  ],
  environment: gatewayVariables,
  run: async (args, env) => {
    const { values } = parseCommandLine(args, options);
    const target = readClientConfig(env, { gatewayUrl: values.url });
    const limit = wholeNumber({ name: 'limit', text: values.limit, fallback: 50, min: 1, max: 1_000_000 });
    const filter = filterOf(values);
    const groupBy = values['group-by'];
    const rows: RunRow[] = [];
    let total = 0;
    let groups: RunsPage['groups'];
    let cursor: string | null = null;
    do {
      const page = await listRuns(target, {
        ...filter,
        limit: String(Math.min(PAGE_RUNS, limit - rows.length)),
        ...(cursor === null ? {} : { cursor }),
      });
      rows.push(...page.runs);
      ({ total, groups } = page);
      cursor = page.next;
    } while (cursor !== null && rows.length < limit);
    process.stdout.write(
      values.json === true
        ? rows.map((row) => `${JSON.stringify(row)}\n`).join('')
        : runsText(rows, { total, nowMs: Date.now(), groupBy, groups }),
    );
    return exitCodes.ok;
  },
};

/** Returns the parameters of the list that the options ask for. */
function filterOf(values: Readonly<Partial<Record<keyof typeof options, string | boolean>>>) {
  const { cluster, run, status, text: q, task, where, sort, 'group-by': group_by } = values;
  const asked = Object.entries({ cluster, run, status, q, task, where, sort, group_by });
  return Object.fromEntries(asked.filter(([, value]) => value !== undefined)) as Record<string, string>;
}

/** Formats the list for a person. */
export function runsText(
  rows: readonly RunRow[],
  listed: { total: number; nowMs: number; groupBy?: string | undefined; groups?: RunsPage['groups'] },
): string {
  if (rows.length === 0) return 'no runs\n';
  const { total } = listed;
  const more = total > rows.length ? `${formatCount(total - rows.length)} more runs: --limit\n` : '';
  return `${tablesOf(rows, listed).join('\n')}${more}`;
}

/** One table, or one a group under its name. Rows come sorted by group. The gateway counts no more than 200 groups. */
function tablesOf(rows: readonly RunRow[], listed: Parameters<typeof runsText>[1]): string[] {
  const { groupBy, groups = [], nowMs } = listed;
  if (groupBy === undefined) return [`${tableOf(rows, nowMs)}\n`];
  const counts = new Map(groups);
  const groupOf = (row: RunRow) => row[groupBy as RunGroupField] ?? null;
  return [...new Set(rows.map(groupOf))].map((value) => {
    const own = rows.filter((row) => groupOf(row) === value);
    const name = value === null ? `no ${groupBy}` : printable(value);
    return `${name} (${formatCount(counts.get(value) ?? own.length)})\n${tableOf(own, nowMs)}\n`;
  });
}

function tableOf(rows: readonly RunRow[], nowMs: number): string {
  return textTable(rows, [
    { title: 'RUN', text: formatRunKey },
    { title: 'STATE', text: (row) => stateText(row, nowMs) },
    { title: 'TASK', text: (row) => row.task_name ?? '-' },
    { title: 'LAST', text: (row) => formatAge(row.last_received_at, nowMs), right: true },
    { title: 'EV/S', text: (row) => formatRate(row.events_per_second), right: true },
    { title: 'EVENTS', text: (row) => formatCount(row.total_events_received - row.duplicates), right: true },
    { title: 'MISSING', text: missing, right: true },
    { title: 'BATCH', text: batch, right: true },
    { title: 'ACCURACY', text: (row) => formatFigure(row.batch_avg_accuracy), right: true },
    { title: 'REWARD', text: (row) => formatFigure(row.batch_avg_reward), right: true },
  ]);
}

function batch(row: RunRow): string {
  return !row.max_batches ? String(row.current_batch) : `${row.current_batch}/${row.max_batches}`;
}

/** In a column, `~12` stands for "about 12". */
function missing(row: RunRow): string {
  return `${row.missing_is_exact ? '' : '~'}${formatCount(row.missing)}`;
}
