import { formatRunKey } from '@runlog/schema/run/run-key';
import type { DeliveredEntry, DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { printable } from '@runlog/service-kit/printable';
import { type Command, CommandError, exitCodes, parseCommandLine, wholeNumber } from '../command.ts';
import { formatAge, formatCount, formatFigure } from '../format.ts';
import { gatewayVariables, readClientConfig } from '../services/client-config.ts';
import { getRun, runPage } from '../services/gateway-client.ts';
import { selectRun } from '../services/run-selection.ts';
import { textTable } from '../text-table.ts';

const options = {
  entries: { type: 'string', value: 'N', help: 'number of newest entries of the event log (default: 20)' },
  milestones: { type: 'boolean', help: 'only seeds, PPO updates and batches; these reach further back' },
  json: { type: 'boolean', help: 'the whole snapshot as JSON' },
  url: { type: 'string', value: 'URL', help: 'address of the gateway; overrides RUNLOG_GATEWAY_URL' },
} as const;

export const command: Command = {
  usage: 'RUN [options]',
  description:
    'Shows one run: its figures, whether every event arrived, and the end of its event log. RUN is cluster/run/group, cluster/run, or only the name if no other run has it.',
  options,
  examples: ['runlog show run-7', 'runlog show c1/run-7/A --milestones', 'runlog show c1/run-7 --json'],
  environment: gatewayVariables,
  run: async (args, env) => {
    const { values, positionals } = parseCommandLine(args, options, { argumentsMax: 1 });
    const target = readClientConfig(env, { gatewayUrl: values.url });
    const entries = wholeNumber({ name: 'entries', text: values.entries, fallback: 20, min: 0, max: 100 });
    const key = await selectRun(positionals[0], target);
    const snapshot = await getRun(target, key);
    if (snapshot === null) {
      throw new CommandError(`there is no run ${formatRunKey(key)}`, exitCodes.failed);
    }
    if (values.json === true) {
      process.stdout.write(`${JSON.stringify(snapshot, null, 2)}\n`);
    } else {
      const listed = values.milestones === true ? snapshot.milestones : snapshot.event_log;
      const newest = entries === 0 ? [] : listed.slice(-entries);
      process.stdout.write(`${runText(snapshot, Date.now())}\n  ${runPage(target, key)}\n`);
      if (newest.length > 0) process.stdout.write(`\n${entriesText(newest)}\n`);
    }
    return exitCodes.ok;
  },
};

/** Formats the figures of a run for a person. */
export function runText(run: DeliveredSnapshot, nowMs: number): string {
  const distinct = run.total_events_received - run.duplicates;
  const facts: [string, string][] = [
    ['status', `${run.status}, ${run.freshness}; last event ${formatAge(run.last_received_at, nowMs)}`],
    ['task', `${run.task_name ?? '-'}${run.reward_mode === null ? '' : `, reward ${run.reward_mode}`}`],
    ['progress', `batch ${run.current_batch}/${run.max_batches ?? '?'}, episode ${run.current_episode}`],
    [
      'batch',
      `accuracy ${formatFigure(run.batch_avg_accuracy)}, reward ${formatFigure(run.batch_avg_reward)}; entropy ${formatFigure(run.ppo.entropy)}, clip ${formatFigure(run.ppo.clip_fraction)}`,
    ],
    [
      'seeds',
      `${run.cumulative_germinated} germinated, ${run.cumulative_fossilized} fossilised, ${run.cumulative_pruned} pruned`,
    ],
    [
      'events',
      `${formatCount(distinct)} (${formatCount(run.duplicates)} duplicates dropped, ${formatCount(run.missing)} missing)`,
    ],
  ];
  if (run.partial) facts.push(['note', 'the beginning of this run is no longer in the log']);
  const lines = facts.map(([name, text]) => `  ${name.padEnd(9)} ${printable(text)}`);
  return [formatRunKey(run), ...lines].join('\n');
}

/** Formats entries of the event log, oldest first. */
export function entriesText(entries: readonly DeliveredEntry[]): string {
  return textTable(entries, [
    { title: 'TIME', text: (entry) => entry.timestamp },
    { title: 'TYPE', text: (entry) => entry.event_type },
    { title: 'ENV', text: (entry) => (entry.env_id === null ? '--' : String(entry.env_id).padStart(2, '0')) },
    { title: 'EP', text: (entry) => String(entry.episode), right: true },
    { title: 'MESSAGE', text: (entry) => entry.message },
    { title: 'DETAILS', text: details },
  ]);
}

/** Formats one entry as one line. The columns have fixed widths, so that they line up in a stream. */
export function entryLine(entry: DeliveredEntry): string {
  const env = entry.env_id === null ? '--' : String(entry.env_id).padStart(2, '0');
  const line = `${entry.timestamp}  ${entry.event_type.padEnd(21)}  ${env}  ${entry.message}  ${details(entry)}`;
  return printable(line).trimEnd();
}

function details(entry: DeliveredEntry): string {
  return Object.entries(entry.metadata)
    .filter(([name]) => name !== 'event_id')
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
