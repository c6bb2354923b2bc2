import { type HeldPartition, heldPartitions } from '@runlog/run-feed/held-partitions';
import { refuseOtherFold } from '@runlog/run-feed/prepare-topics';
import { type Difference, type VerifyProgress, type VerifyReport, verify } from '@runlog/run-feed/verify';
import { systemClock } from '@runlog/service-kit/clock';
import { type Command, exitCodes, parseCommandLine } from '../command.ts';
import { formatCount, formatDuration, formatRate } from '../format.ts';
import { heldLine } from '../log/held-line.ts';
import { logAccessVariables, requireMeta, withLog } from '../log/log-access.ts';
import { unreadableLine } from '../log/unreadable-line.ts';
import { createProgress } from '../progress.ts';
import { stopSignal } from '../stop-signal.ts';

const options = {
  json: { type: 'boolean', help: 'the report as one JSON line' },
} as const;

/** The number of differences that a report names; it counts any further ones. */
const DIFFERENCES_LISTED_MAX = 100;
const UNREADABLE_LISTED_MAX = 100;

export const command: Command = {
  usage: '[options]',
  description:
    'Proves that snapshots and figures equal a fold of the events topic. It folds the topic from its start and compares every stored snapshot, and the figures of every run, at their own positions, byte for byte. Every run with an event below the checkpoint must have both or have been retired. It can run beside the services and changes nothing.\nExit code: 0 all are equal, 1 a difference, or nothing to compare, 3 the log cannot be reached.',
  options,
  examples: ['runlog verify', 'KAFKA_BROKERS=127.0.0.1:9092 runlog verify --json'],
  environment: logAccessVariables,
  worksUnread: true,
  run: async (args, env) => {
    const { values } = parseCommandLine(args, options);
    return withLog(env, { command: 'verify', readOnly: true }, async ({ io, config }) => {
      const meta = await requireMeta(io, config, 'verify');
      // With another fold version, correct snapshots would look wrong.
      refuseOtherFold(meta);
      const progress = createProgress({ stream: process.stderr, now: Date.now });
      const begunMs = Date.now();
      const report = await verify({
        ...{ io, topics: config.topics, meta, signal: stopSignal(), sleep: systemClock.sleep },
        onProgress: (folded) => progress.update(() => progressText(folded, Date.now() - begunMs)),
      });
      const held = await heldPartitions(io, { topic: config.topics.events, partitions: meta.partitions });
      progress.end();
      const failed = report.differences.length > 0 || report.lost.length > 0 || report.compared === 0;
      process.stdout.write(
        values.json === true ? jsonReport(report, { failed, held }) : textReport(report, held),
      );
      return failed ? exitCodes.failed : exitCodes.ok;
    });
  },
};

function progressText({ events, eventsTotal }: VerifyProgress, elapsedMs: number): string {
  const perSecond = events / Math.max(elapsedMs / 1_000, 0.001);
  const left = formatDuration((eventsTotal - events) / Math.max(perSecond, 1));
  return `verify: ${formatCount(events)} of ${formatCount(eventsTotal)} events, ${formatRate(perSecond)}/s, ${left} left`;
}

function jsonReport(report: VerifyReport, of: { failed: boolean; held: readonly HeldPartition[] }): string {
  const { differences, unreadable, ...counts } = report;
  return `${JSON.stringify({
    ok: !of.failed,
    ...counts,
    unreadable: unreadable.length,
    unreadableBatches: unreadable.slice(0, UNREADABLE_LISTED_MAX),
    differing: differences.length,
    differences: differences.slice(0, DIFFERENCES_LISTED_MAX),
    heldBack: of.held,
  })}\n`;
}

function textReport(report: VerifyReport, held: readonly HeldPartition[]): string {
  const {
    runsInTopic,
    compared,
    figuresCompared,
    truncated,
    unfoldable,
    unreadable,
    events,
    differences,
    lost,
  } = report;
  const lines = differences.slice(0, DIFFERENCES_LISTED_MAX).map(differenceLine);
  if (differences.length > lines.length) lines.push(`… and ${differences.length - lines.length} more`);
  for (const { partition, from, to } of lost) {
    lines.push(
      `partition ${partition}: ${to - from} records were deleted before they were folded (${from} to ${to - 1})`,
    );
  }
  for (const batch of unreadable.slice(0, UNREADABLE_LISTED_MAX))
    lines.push(`passed by all: ${unreadableLine(batch, batch)}`);
  for (const one of held) lines.push(`not judged: ${heldLine(one, Date.now())}`);
  lines.push(
    `${events} events folded, ${runsInTopic} runs in the topic, ${compared} snapshots and ` +
      `the figures of ${figuresCompared} runs compared, ` +
      `${truncated} truncated (begun before the topic), ${unfoldable} records unfoldable` +
      (unreadable.length > 0 ? `, ${unreadable.length} batches unreadable` : ''),
  );
  if (differences.length > 0) lines.push(`FAILED: ${differences.length} differ from the fold of the topic`);
  else if (lost.length > 0)
    lines.push('FAILED: the snapshots lack deleted events; "runlog rebuild" starts from what is left');
  else if (compared === 0) lines.push('FAILED: there was nothing to compare');
  else lines.push('OK: every snapshot and all figures equal the fold of the topic');
  return `${lines.join('\n')}\n`;
}

function differenceLine({ key, seq, field, message, stored, folded }: Difference): string {
  const where = `${key} at ${seq ?? '-'}`;
  if (field === '') return `${where}: ${message}`;
  return `${where}: ${message}: stored ${JSON.stringify(stored)}, folded ${JSON.stringify(folded)}`;
}
