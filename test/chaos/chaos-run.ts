import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readMeta } from '@runlog/run-feed/prepare-topics';
import { partitionOf } from '@runlog/topic-io/partitioner';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { runCli } from '../support/cli-process.ts';
import { Deployment } from './deployment.ts';
import { describeFault, type PlannedFault, type Shape } from './fault-plan.ts';
import { checkHistory } from './history/check-history.ts';
import { HistoryFile, readHistory } from './history/history-file.ts';
import type { Observation } from './history/observation.ts';
import { BROKER_COPIES, everyPartitionOwned, IN_SYNC_MS_MAX, inflict, type Scene } from './inflict.ts';
import {
  judgeMeta,
  judgeRuns,
  judgeSubscriber,
  judgeTopic,
  judgeWitness,
  readEventsTopic,
  SETTLE_MS_MAX,
} from './judge-end.ts';
import { emitterPlans, runsOf, unorderedOf } from './load.ts';
import { Publisher } from './publisher.ts';
import { StatePoller } from './state-poller.ts';
import { Subscriber } from './subscriber.ts';
import { comesToHold, until } from './until.ts';
import { Witness } from './witness.ts';

const DRAIN_MS_MAX = 180_000;
/** The next fault begins after this time if nothing is acknowledged. */
const BETWEEN_FAULTS_MS_MAX = 6_000;
const FAULTS_AT_ONCE_MAX = 2;
const HISTORY_NAME = 'history.jsonl';
const VIOLATIONS_SAID_MAX = 30;

export interface ChaosReport {
  readonly seed: number;
  readonly faults: number;
  readonly acknowledged: number;
  readonly resent: number;
  /** Bodies that were sent twice at once. */
  readonly bodiesCopied: number;
  /** The report of `runlog verify --json`; null if it did not answer. */
  readonly verify: Readonly<Record<string, unknown>> | null;
  readonly subscribers: readonly { connections: number; resumed: number; resets: number; entries: number }[];
  /** The copies of each partition of the events topic before the first fault. */
  readonly copies: readonly { replicas: number; inSync: number }[];
  readonly inSyncMin: string | undefined;
  readonly runs: number;
  /** What the network did to the services' requests. */
  readonly network: { readonly heldBack: number; readonly answersLost: number };
  /** The longest time for which a partition's checkpoint did not move, in milliseconds. */
  readonly stallMsMax: number;
  /** The warnings of the processes, and how often each was logged. */
  readonly warnings: Readonly<Record<string, number>>;
  /** The invariants that were violated; empty if all held. */
  readonly violations: readonly string[];
  /** What was seen from outside: the number of observations that the checker judged. */
  readonly observations: number;
  /** The folder with the processes' output and the history; null if all invariants held. */
  readonly outputs: string | null;
}

/** Runs the load, injects the faults of the plan until it ends, heals everything, and then judges the result. */
export async function runChaos(options: {
  seed: number;
  shape: Shape;
  plan: (random: SeededRandom) => Iterable<PlannedFault>;
  /** Is asked before each fault. */
  isOver: () => boolean;
  say: (line: string) => void;
  /** Is given the history of the run once it was judged. */
  onHistory?: (history: readonly Observation[]) => void;
}): Promise<ChaosReport> {
  const { seed, shape, say } = options;
  const random = new SeededRandom(seed);
  const beganMs = performance.now();
  const sayWhen = (line: string) => say(`${((performance.now() - beganMs) / 1_000).toFixed(1)}s ${line}`);
  sayWhen(`SEED=${seed}`);
  await using deployment = await Deployment.start(shape);
  const { io, topics } = deployment;
  await until(() => deployment.map.isInSync(BROKER_COPIES), {
    what: () => 'copies are not in sync at the beginning',
    withinMs: IN_SYNC_MS_MAX,
  });
  const copies = await deployment.map.copies(topics.events);
  const inSyncMin = (await io.describeTopic(topics.events))?.settings['min.insync.replicas'];
  const meta = await readMeta(io, topics);
  if (meta === null) throw new Error('the services are ready, but there is no run-meta');
  sayWhen(`${deployment.slots.length} services are ready`);

  const emitters = emitterPlans();
  const runs = runsOf(emitters);
  const unordered = unorderedOf(emitters);
  const loaded = new Set(runs.map((run) => partitionOf(`local/${run}/default`, shape.partitions)));
  // Nobody could tell whether a partition without events has a holder.
  if (loaded.size < shape.partitions) throw new Error('the load leaves a partition empty');
  const gateways = () => deployment.addresses('gateway');
  const folder = await mkdtemp(join(tmpdir(), 'runlog-history-'));
  await using file = new HistoryFile(join(folder, HISTORY_NAME));
  const { note } = file;
  note({ kind: 'planned', unordered });
  const subscribers = [0, 1].map(
    (first) => new Subscriber({ name: `subscriber-${first}`, runs, gateways, first, unordered, note }),
  );
  const keys = runs.map((run) => `local/${run}/default`);
  const poller = new StatePoller({ keys, gateways, note });
  const witness = new Witness({
    ...{ io, events: topics.events, snapshots: meta.snapshots, partitions: shape.partitions },
    onStall: (partition, ms) =>
      sayWhen(`no checkpoint of partition ${partition} for ${(ms / 1_000).toFixed(1)}s`),
    note,
  });
  const publisher = new Publisher({
    emitters,
    targets: () => deployment.addresses('ingest'),
    random: random.fork('load'),
    note,
  });
  const violations: string[] = [];
  const scene: Scene = {
    ...{ deployment, publisher, witness, violations },
    snapshots: meta.snapshots,
    random: random.fork('moments'),
    say: sayWhen,
  };
  let faults = 0;
  let verify: ChaosReport['verify'] = null;
  try {
    faults = await inflictAll({ plan: options.plan(random.fork('plan')), isOver: options.isOver }, scene);
    sayWhen('everything is healed');
    await publisher.drain(DRAIN_MS_MAX);
    // An ingest may still be working on a body whose client gave up waiting. Only when every ingest has ended is the
    // topic complete.
    for (const slot of deployment.slots.filter(({ service }) => service === 'ingest')) {
      const code = await deployment.end(slot, 'SIGTERM');
      if (code !== 0) violations.push(`${slot.name} ended with ${code} on SIGTERM`);
    }
    await everyPartitionOwned(scene);
    sayWhen(`${publisher.acknowledged} events acknowledged, ${publisher.resent} sent again`);
    const reading = await readEventsTopic(io, { topic: topics.events, partitions: shape.partitions, note });
    violations.push(...judgeTopic(reading, publisher));
    violations.push(...(await judgeRuns(gateways(), { reading, publisher })));
    for (const subscriber of subscribers) {
      const found = await judgeSubscriber(subscriber, { gateway: gateways()[0]!, publisher });
      violations.push(...found);
      if (found.length > 0) continue;
      for (const key of keys) note({ kind: 'settled', by: subscriber.name, key });
    }
    await comesToHold(() => judgeWitness(reading, witness).length === 0, SETTLE_MS_MAX);
    violations.push(...judgeWitness(reading, witness), ...(await judgeMeta(io, topics)));
    const verified = await runCli(['verify', '--json'], deployment.environment);
    sayWhen(`runlog verify: exit ${verified.code}, ${verified.stdout.trim()}`);
    if (verified.code !== 0)
      violations.push(`verify ended with ${verified.code}:\n${verified.stdout}${verified.stderr}`);
    else verify = JSON.parse(verified.stdout) as Record<string, unknown>;
    for (const slot of deployment.slots.filter(({ wanted }) => wanted)) {
      const code = await deployment.end(slot, 'SIGTERM');
      if (code !== 0) violations.push(`${slot.name} ended with ${code} on SIGTERM`);
    }
  } catch (error) {
    violations.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    await publisher.abandon();
    await Promise.all([...subscribers, witness, poller].map((watcher) => watcher.leave()));
  }
  deployment.noteUnexpectedEnds();
  violations.push(...publisher.violations, ...witness.violations, ...deployment.unexpectedEnds);
  await file[Symbol.asyncDispose]();
  const history = await readHistory(file.path);
  violations.push(...judgeHistory(history));
  options.onHistory?.(history);
  const outputs = violations.length === 0 ? null : join(tmpdir(), `runlog-chaos-${seed}`);
  if (outputs !== null) {
    await deployment.writeOutputs(outputs);
    await cp(file.path, join(outputs, HISTORY_NAME));
  }
  await rm(folder, { recursive: true });
  return {
    ...{ seed, faults, verify, copies, inSyncMin, violations, outputs },
    observations: history.length,
    acknowledged: publisher.acknowledged,
    resent: publisher.resent,
    bodiesCopied: publisher.copies,
    runs: runs.length,
    network: { heldBack: deployment.network.heldBack, answersLost: deployment.network.answersLost },
    stallMsMax: witness.stallMsMax,
    warnings: deployment.warnings(),
    subscribers: subscribers.map(({ connections, resumed, resets, entries }) => ({
      ...{ connections, resumed, resets, entries },
    })),
  };
}

/** Says what the checker finds, or why it cannot judge. */
function judgeHistory(history: readonly Observation[]): string[] {
  try {
    const found = checkHistory(history).map(({ kind, what }) => `history: ${kind}: ${what}`);
    const more = found.length - VIOLATIONS_SAID_MAX;
    return more > 0 ? [...found.slice(0, VIOLATIONS_SAID_MAX), `history: and ${more} more`] : found;
  } catch (error) {
    return [String(error)];
  }
}

/**
 * Injects the faults. They overlap, but there are never two on one process, and never two brokers are hit at once.
 * Resolves when the last one is healed.
 */
async function inflictAll(
  options: { plan: Iterable<PlannedFault>; isOver: () => boolean },
  scene: Scene,
): Promise<number> {
  const underWay = new Map<string, Promise<void>>();
  let failure: unknown = null;
  let begun = 0;
  for (const fault of options.plan) {
    if (options.isOver() || failure !== null) break;
    const target = scene.publisher.acknowledged + fault.afterEvents;
    await comesToHold(() => scene.publisher.acknowledged >= target, BETWEEN_FAULTS_MS_MAX);
    const victim = victimOf(fault);
    while (underWay.size >= FAULTS_AT_ONCE_MAX || underWay.has(victim)) await Promise.race(underWay.values());
    scene.deployment.noteUnexpectedEnds();
    begun += 1;
    const name = `${begun}: ${describeFault(fault.action)}`;
    scene.say(`fault ${name}`);
    const healed = inflict(fault, scene)
      .then(() => scene.say(`healed ${name}`))
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => underWay.delete(victim));
    underWay.set(victim, healed);
  }
  await Promise.all(underWay.values());
  if (failure !== null) throw failure;
  return begun;
}

function victimOf({ action }: PlannedFault): string {
  switch (action.kind) {
    case 'kill':
    case 'leave':
    case 'freeze shortly':
      return `${action.service}-${action.index}`;
    case 'freeze until replaced':
      return `aggregator-${action.index}`;
    case 'kill broker':
    case 'freeze broker':
    case 'kill all brokers':
      return 'broker';
    case 'usurp':
    case 'join':
    case 'disturb network':
    case 'verify':
      return action.kind;
    default: {
      const unreachable: never = action;
      throw new Error(`unknown fault ${String(unreachable)}`);
    }
  }
}
