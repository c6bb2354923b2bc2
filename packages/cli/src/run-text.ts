import { formatRunKey } from '@runlog/schema/run/run-key';
import type { DeliveredSnapshot, EmitterState } from '@runlog/schema/run/snapshot';
import { printable } from '@runlog/service-kit/printable';
import { formatAge, formatApproximate, formatCount, formatFigure, formatInterval } from './format.ts';
import { stateText } from './state-text.ts';

type Fact = readonly [name: string, text: string];

const EMITTERS_SHOWN_MAX = 5;
const GAPS_SHOWN_MAX = 5;
const NAME_CHARS = 9;

/** Formats the state of a run for a person. */
export function runText(run: DeliveredSnapshot, nowMs: number): string {
  const facts: Fact[] = [
    ['status', statusText(run, nowMs)],
    ...endFacts(run),
    ...attemptFacts(run),
    ['task', taskText(run)],
    ['progress', `batch ${run.current_batch}/${run.max_batches || '?'}, episode ${run.current_episode}`],
    [
      'batch',
      `accuracy ${formatFigure(run.batch_avg_accuracy)}, reward ${formatFigure(run.batch_avg_reward)}; entropy ${formatFigure(run.ppo.entropy)}, clip ${formatFigure(run.ppo.clip_fraction)}`,
    ],
    [
      'seeds',
      `${run.cumulative_germinated} germinated, ${run.cumulative_fossilized} fossilised, ${run.cumulative_pruned} pruned`,
    ],
    ['events', eventsText(run)],
    ...gapFacts(run),
    ...conflictFacts(run),
    ...beginningFacts(run),
  ];
  const lines = facts.map(([name, text]) => `  ${name.padEnd(NAME_CHARS)} ${printable(text)}`);
  return [formatRunKey(run), ...lines].join('\n');
}

/** A training without a policy says neither. */
function taskText({ task_name: task, reward_mode: mode }: DeliveredSnapshot): string {
  return `${task || '-'}${mode ? `, reward ${mode}` : ''}`;
}

function statusText(run: DeliveredSnapshot, nowMs: number): string {
  const state = run.state === 'running' ? `running, ${run.freshness}` : stateText(run, nowMs);
  const isSaid = run.interval_ms === null || run.state === 'quiet';
  const interval = isSaid ? '' : `; usually one in ${formatInterval(run.interval_ms!)}`;
  return `${state}; last event ${formatAge(run.last_received_at, nowMs)}${interval}`;
}

function endFacts({ end, status }: DeliveredSnapshot): Fact[] {
  if (end === null) return [];
  const reason = end.reason === null ? '' : `: ${end.reason}`;
  const revived = status === 'running' ? ', but later events show it running' : '';
  return [['end', `${end.status}${reason} (${end.at}${revived})`]];
}

function attemptFacts({ attempt, attempts }: DeliveredSnapshot): Fact[] {
  const newest = attempts.at(-1);
  if (newest === undefined) return [];
  return [['attempt', `${attempt}, started ${newest.at} from episode ${newest.episode}`]];
}

function eventsText(run: DeliveredSnapshot): string {
  const distinct = formatCount(run.total_events_received - run.duplicates);
  const missing = formatApproximate(run.missing, run.missing_is_exact);
  return `${distinct} (${formatCount(run.duplicates)} duplicates dropped, ${missing} missing)`;
}

/** Names the numbers that have not arrived, one line an emitter. */
function gapFacts({ emitters }: DeliveredSnapshot): Fact[] {
  const lacking = Object.entries(emitters).filter(
    ([, { gaps, forgotten }]) => gaps.length > 0 || forgotten !== undefined,
  );
  const facts = lacking
    .slice(0, EMITTERS_SHOWN_MAX)
    .map(([id, emitter]): Fact => ['missing', `${id} ${gapsText(emitter)}`]);
  const others = lacking.length - facts.length;
  if (others > 0) facts.push(['', `${formatCount(others)} more emitters: --json shows them`]);
  return facts;
}

function gapsText({ gaps, forgotten }: DeliveredSnapshot['emitters'][string]): string {
  const shown = gaps
    .slice(0, GAPS_SHOWN_MAX)
    .map(([from, to]) => (from === to ? String(from) : `${from}-${to}`));
  const others = gaps.length - shown.length;
  if (others > 0) shown.push(`${others} more ranges`);
  if (forgotten !== undefined) shown.push(forgottenText(forgotten));
  return shown.join(', ');
}

function forgottenText({ through, missing }: NonNullable<EmitterState['forgotten']>): string {
  if (missing === null) return `an unknown number up to ${through}`;
  return `${formatCount(missing)} up to ${through} whose places are no longer kept`;
}

function conflictFacts({ conflicts }: DeliveredSnapshot): Fact[] {
  if (conflicts === 0) return [];
  const events = conflicts === 1 ? '1 event' : `${formatCount(conflicts)} events`;
  return [
    ['conflicts', `${events} came under a number of its emitter that another event had; counted as new`],
  ];
}

function beginningFacts({ partial, partial_because: because }: DeliveredSnapshot): Fact[] {
  if (partial !== true) return [];
  const evidence = because === null ? '' : `: ${beginningEvidence[because]}`;
  return [['note', `the beginning of this run is not in the log${evidence}`]];
}

const beginningEvidence = {
  first_numbers_missing: 'the first numbers of an emitter are missing',
  resumed_from_elsewhere: 'it resumed from an episode that is not there',
} as const;
