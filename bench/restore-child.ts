/**
 * A restore in a process of its own, as after a restart, or, for the limit, the same reader over the same topic, which
 * discards what it reads. It takes its task from argv and answers with one JSON line.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { RunMeta } from '@runlog/records/meta-record';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { restore } from '@runlog/run-feed/restore';
import { RunTable } from '@runlog/run-feed/run-table';
import { figuresTopicOf, topicNames } from '@runlog/schema/log/topics';
import { silentLogger } from '../test/support/silent-logger.ts';
import { openBenchLog } from './bench-log.ts';

export interface RestoreTask {
  readonly mode: 'read' | 'restore';
  readonly brokers: readonly string[];
  readonly prefix: string;
  readonly meta: RunMeta;
  readonly runs: number;
}

export interface RestoreAnswer {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** The highest. */
  readonly rssBytes: number;
}

const { mode, brokers, prefix, meta, runs } = JSON.parse(process.argv[2] ?? '{}') as RestoreTask;
const topics = topicNames(prefix);
const partitions = Array.from({ length: meta.partitions }, (_, partition) => partition);
await using io = await openBenchLog(brokers);
const cpuFrom = process.cpuUsage();
const fromMs = performance.now();
switch (mode) {
  case 'read':
    for (const topic of [topics.snapshots, figuresTopicOf(topics.snapshots)]) {
      await readToEnd(io, { topic, partitions, onRecords: () => undefined });
    }
    break;
  case 'restore': {
    const table = new RunTable(meta);
    const signal = new AbortController().signal;
    const sleep = async (ms: number) => void (await delay(ms));
    const clock = { sleep, now: Date.now };
    await restore(table, { io, topics, meta, partitions, logger: silentLogger, signal, ...clock });
    if (table.states.size !== runs) throw new Error(`${table.states.size} runs were restored`);
    break;
  }
  default: {
    const unreachable: never = mode;
    throw new Error(`unknown mode ${String(unreachable)}`);
  }
}
const seconds = (performance.now() - fromMs) / 1_000;
const { user, system } = process.cpuUsage(cpuFrom);
const answer: RestoreAnswer = {
  seconds,
  cpuSeconds: (user + system) / 1e6,
  rssBytes: process.resourceUsage().maxRSS * 1_024,
};
process.stdout.write(`${JSON.stringify(answer)}\n`);
