import { randomUUID } from 'node:crypto';
import type { KafkaProxyHooks } from '../support/kafka-proxy.ts';
import type { ProxiedBroker } from '../support/proxied-broker.ts';
import { PartitionFollower } from './partition-follower.ts';
import { type Lane, runSchedule, type ScheduleReport } from './run-schedule.ts';

const PARTITIONS_OF_LANE = 2;

export interface SchedulesReport {
  readonly schedules: number;
  readonly held: number;
  readonly answersLost: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** How often each kind of late request arrived at each step. */
  readonly arrivals: Readonly<Record<string, number>>;
  /** The schedules that violated something. */
  readonly failed: readonly ScheduleReport[];
}

/** Runs the schedules of these seeds against one broker, in several lanes at a time, each with a writer id of its own. */
export async function runSchedules(options: {
  broker: ProxiedBroker;
  seeds: Iterable<number>;
  lanes: number;
  /** Is asked before each schedule. */
  isOver?: () => boolean;
  onReport?: (report: ScheduleReport) => void;
}): Promise<SchedulesReport> {
  const { broker, lanes, isOver = () => false, onReport } = options;
  const name = `late-packets-${randomUUID().slice(0, 8)}`;
  await broker.io.ensureTopics([
    { name, partitions: lanes * PARTITIONS_OF_LANE, cleanupPolicy: 'delete', settings: {} },
  ]);
  const seeds = options.seeds[Symbol.iterator]();
  const total = { schedules: 0, held: 0, answersLost: 0 };
  const outcomes: Record<string, number> = {};
  const arrivals: Record<string, number> = {};
  const failed: ScheduleReport[] = [];
  const count = (into: Record<string, number>, what: string, times = 1) => {
    into[what] = (into[what] ?? 0) + times;
  };
  const take = (report: ScheduleReport) => {
    total.schedules += 1;
    total.held += report.held;
    total.answersLost += report.answersLost;
    for (const [outcome, times] of Object.entries(report.outcomes)) count(outcomes, outcome, times);
    for (const arrival of report.arrivals) count(arrivals, arrival);
    if (report.violations.length > 0) failed.push(report);
    onReport?.(report);
  };
  const runLane = async (index: number) => {
    let hooks: KafkaProxyHooks = {};
    const first = index * PARTITIONS_OF_LANE;
    const partitions = Array.from({ length: PARTITIONS_OF_LANE }, (_, at) => first + at);
    await using follower = await PartitionFollower.open({ io: broker.io, topic: name, partitions });
    const lane: Lane = {
      ...{ follower, partitions, topic: name, rivals: broker.io, proxy: broker.proxy },
      open: () =>
        broker.open(`${name}-${index}`, {
          onRequest: (request) => hooks.onRequest?.(request) ?? 'pass',
          onAnswer: (request, answer) => hooks.onAnswer?.(request, answer) ?? 'pass',
        }),
      setHooks: (next) => {
        hooks = next;
      },
      ...{ writerId: `${name}-${index}`, group: `${name}-${index}` },
    };
    for (let seed = seeds.next(); seed.done !== true && !isOver(); seed = seeds.next()) {
      take(await runSchedule(lane, seed.value));
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, index) => runLane(index)));
  return { ...total, outcomes, arrivals, failed };
}
