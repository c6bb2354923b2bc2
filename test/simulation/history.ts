import { encodeRetirement } from '@runlog/records/control-record';
import { bytesOf } from '@runlog/records/figures-record';
import { partitionOf } from '@runlog/topic-io/partitioner';
import { startAggregator } from './aggregator-program.ts';
import { type Build, newerBuild } from './build.ts';
import { GatewayProgram } from './gateway-program.ts';
import { Operator } from './operator.ts';
import { type Fault, HEAL_AT_MS, type Plan } from './plan.ts';
import { IngestProgram, Publishers } from './publisher.ts';
import { Service, type StartProgram } from './service.ts';
import { SimulatedClient } from './simulated-client.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import { holds, Violation } from './violation.ts';
import { type Mutations, START_MS, World } from './world.ts';

/** After healing, everything must hold within this time. */
const SETTLE_MS_MAX = 120_000;
/** By this time even requests that arrive late, after the healing, have arrived. */
const SETTLE_MS_MIN = 8_000;
const CHECK_MS = 2_000;
/**
 * Retention removes only records that every checkpoint passed at least this long ago, because a real retention time is
 * far longer than anything else takes.
 */
const RETENTION_LAG_MS = 12_000;

export interface HistoryResult {
  /** Null if every invariant held. */
  readonly failure: unknown;
  readonly trace: readonly string[];
  readonly eventsRun: number;
  readonly elapsedMs: number;
  /** How often each situation happened. */
  readonly reached: ReadonlyMap<string, number>;
}

/** Runs one history to its end and judges it. */
export async function runHistory(
  plan: Plan,
  options: { mutations?: Mutations; isTraced?: boolean } = {},
): Promise<HistoryResult> {
  const world = new World({ plan, mutations: options.mutations ?? {}, isTraced: options.isTraced ?? false });
  const newer = plan.faults.some(({ kind }) => kind === 'upgrade') ? await newerBuild() : null;
  const history = new History(world, newer);
  let failure: unknown = null;
  try {
    await history.run();
  } catch (error) {
    failure = error;
  }
  history.end();
  if (world.oracle.undecided !== null) {
    world.note(() => `undecided: ${world.oracle.undecided}`);
    world.reach('nothing tells the events from those before');
    failure = null;
  }
  return {
    failure,
    trace: world.trace ?? [],
    eventsRun: world.scheduler.ran,
    elapsedMs: world.elapsedMs,
    reached: world.reached,
  };
}

class History {
  readonly #world: World;
  readonly #services = new Map<string, Service>();
  readonly #gateways = new Map<SimulatedProcess, GatewayProgram>();
  readonly #ingests = new Map<SimulatedProcess, IngestProgram>();
  readonly #publishers: Publishers;
  readonly #clients: SimulatedClient[];
  readonly #checkpoints: { atMs: number; next: readonly number[] }[] = [];
  readonly #operator: Operator;
  readonly #newer: Build | null;
  #isSettled = false;

  constructor(world: World, newer: Build | null) {
    this.#world = world;
    this.#newer = newer;
    this.#operator = new Operator(world, this.#services);
    const { plan } = world;
    const serve = (kind: string, count: number, start: (name: string) => StartProgram) => {
      for (let number = 1; number <= count; number += 1) {
        const name = `${kind}-${number}`;
        const mayFail = (error: unknown) => this.#operator.mayEnd(name, error);
        this.#services.set(name, new Service(world, { name, start: start(name), mayFail }));
      }
    };
    serve('aggregator', plan.aggregators, (name) => (process, fail) => {
      const build = this.#operator.buildOf(name);
      return startAggregator(world, { build, process, fail });
    });
    serve('gateway', plan.gateways, (name) => (process, fail) => {
      const build = this.#operator.buildOf(name);
      const gateway = new GatewayProgram(world, { build, process, fail });
      this.#gateways.set(process, gateway);
      return gateway;
    });
    serve('ingest', plan.ingests, () => (process) => {
      const ingest = new IngestProgram(world, process);
      this.#ingests.set(process, ingest);
      return ingest;
    });
    this.#publishers = new Publishers(world, () => living(this.#ingests));
    this.#clients = plan.clients.map(
      ({ isHeavy }, index) =>
        new SimulatedClient(world, {
          name: `client-${index + 1}`,
          isHeavy,
          gateways: () => living(this.#gateways),
        }),
    );
    for (const fault of plan.faults) this.#at(fault.atMs, () => this.#befall(fault));
    this.#at(HEAL_AT_MS, () => this.#heal());
    this.#rememberCheckpoints();
  }

  async run(): Promise<void> {
    const world = this.#world;
    const { oracle } = world;
    await world.scheduler.run(() => world.failure !== null || oracle.undecided !== null || this.#isSettled);
    if (world.failure !== null) throw world.failure;
    for (const truth of oracle.runs.values()) truth.checkCounts();
    for (const id of this.#publishers.acknowledged) {
      holds(oracle.landed.has(id), () => `${id} was acknowledged and is not in the log`);
    }
  }

  /** Releases everything, so that nothing of this history continues in the next. */
  end(): void {
    for (const service of this.#services.values()) service.process?.crash();
  }

  #at(elapsedMs: number, run: () => void): void {
    this.#world.scheduler.after(START_MS + elapsedMs - this.#world.scheduler.nowMs, run);
  }

  #befall(fault: Fault): void {
    const world = this.#world;
    const { network, scheduler, log, topics } = world;
    world.note(() => `FAULT ${JSON.stringify(fault)}`);
    world.reach(fault.kind);
    switch (fault.kind) {
      case 'crash':
        this.#services.get(fault.process)?.crash(fault.downMs);
        return;
      case 'stop':
        this.#services.get(fault.process)?.stop(fault.downMs);
        return;
      case 'freeze':
        this.#services.get(fault.process)?.freeze(fault.forMs);
        return;
      case 'emitter dies':
        this.#publishers.die(fault.emitter);
        return;
      case 'outage':
        network.isDown = true;
        scheduler.after(fault.forMs, () => {
          network.isDown = false;
        });
        return;
      case 'loss':
        network.profile = { ...network.profile, lossChance: fault.chance };
        scheduler.after(fault.forMs, () => {
          network.profile = { ...network.profile, lossChance: 0 };
        });
        return;
      case 'rebalance':
        if (log.describeTopic(topics.events) === null) return;
        log.group(topics.group, topics.events).rebalance();
        return;
      case 'rebuild':
        this.#operator.rebuild(fault);
        return;
      case 'upgrade':
        this.#operator.upgrade(this.#newer!);
        return;
      case 'events deleted':
        this.#operator.deleteEvents(fault);
        return;
      case 'leap':
        scheduler.leap(fault.byMs, fault);
        return;
      case 'compaction': {
        const name = world.oracle.meta?.snapshots ?? topics.snapshots;
        if (log.describeTopic(name) === null) return;
        for (let partition = 0; partition < world.plan.partitions; partition += 1) {
          log.compact({ topic: name, partition }, { random: world.random, share: fault.share });
        }
        return;
      }
      case 'retention':
        this.#retain();
        return;
      case 'truncation':
        this.#truncate();
        return;
      case 'retirement':
        this.#retire(fault.run);
        return;
      case 'poison':
        this.#poison(fault.run);
        return;
      case 'disconnect':
        this.#clients[fault.client]?.disconnect(fault.resume);
        return;
      case 'stall': {
        const client = this.#clients[fault.client];
        client?.stall();
        scheduler.after(fault.forMs, () => client?.resume());
        return;
      }
      default: {
        const unreachable: never = fault;
        throw new Error(`unknown fault ${JSON.stringify(unreachable)}`);
      }
    }
  }

  #retain(): void {
    const { log, topics, elapsedMs, oracle } = this.#world;
    // Records that nobody could fold yet are not deleted.
    if (oracle.isOutlived) return;
    const old = this.#checkpoints.findLast(({ atMs }) => atMs <= elapsedMs - RETENTION_LAG_MS);
    for (const [partition, next] of old?.next.entries() ?? []) {
      // The topic that a rebuild wrote may be behind the former one.
      log.partition(topics.events, partition)?.deleteBelow(Math.min(next, oracle.checkpoint(partition)));
    }
  }

  /** Deletes all events, as an operator may, whatever the checkpoints are. */
  #truncate(): void {
    const { log, topics, oracle } = this.#world;
    if (oracle.isOutlived || log.describeTopic(topics.events) === null) return;
    for (const partition of log.partitions(topics.events)) {
      partition.deleteBelow(partition.stableEnd);
      oracle.truncated({ partition: partition.index, startOffset: partition.startOffset });
    }
  }

  #retire(key: string): void {
    const { log, oracle, topics, plan, scheduler } = this.#world;
    if (oracle.latest(key) === null || log.describeTopic(topics.events) === null) return;
    const { nowMs } = scheduler;
    const record = encodeRetirement({ key, reason: 'deleted', through: null, nowMs });
    log.append({ topic: topics.events, partition: partitionOf(key, plan.partitions), records: [record] });
  }

  #poison(key: string): void {
    const { log, topics, plan, scheduler } = this.#world;
    if (log.describeTopic(topics.events) === null) return;
    const record = { key, value: Buffer.from('{"no":'), headers: {}, timestampMs: scheduler.nowMs };
    log.append({ topic: topics.events, partition: partitionOf(key, plan.partitions), records: [record] });
  }

  #rememberCheckpoints(): void {
    const { oracle, plan, scheduler, elapsedMs } = this.#world;
    const next = Array.from({ length: plan.partitions }, (_, partition) => oracle.checkpoint(partition));
    this.#checkpoints.push({ atMs: elapsedMs, next });
    if (elapsedMs < HEAL_AT_MS) scheduler.after(2_000, () => this.#rememberCheckpoints());
  }

  #heal(): void {
    const { network } = this.#world;
    this.#world.note(() => 'everything heals');
    network.isDown = false;
    network.profile = { latencyMsMax: 10, slowChance: 0, slowMsMax: 0, lossChance: 0 };
    for (const service of this.#services.values()) {
      service.process?.thaw();
      if (service.process === null) service.startLater(0);
    }
    for (const client of this.#clients) client.resume();
    this.#checkLater();
  }

  #checkLater(): void {
    const world = this.#world;
    world.scheduler.after(CHECK_MS, () => {
      const healedMs = world.elapsedMs - HEAL_AT_MS;
      const faults = healedMs < SETTLE_MS_MIN ? ['it is too early'] : this.#unsettled();
      if (faults.length === 0) this.#isSettled = true;
      else if (healedMs > SETTLE_MS_MAX) {
        throw new Violation(
          `long after everything healed, ${faults.length} things do not hold: ${faults.join('; ')}`,
        );
      } else this.#checkLater();
    });
  }

  /** Returns the conditions that do not hold yet. */
  #unsettled(): string[] {
    const { oracle, log } = this.#world;
    const { meta } = oracle;
    if (meta === null || log.describeTopic(meta.snapshots) === null) return ['there is no snapshot topic'];
    const faults = this.#operator.unsettled();
    if (faults.length === 0 && !this.#publishers.isDone) faults.push('events are not acknowledged');
    if (faults.length === 0) faults.push(...oracle.unsettled(log));
    // Comparing whole states is expensive, and worth it only at the end.
    if (faults.length > 0) return faults;
    const gateways = living(this.#gateways);
    if (gateways.length < this.#world.plan.gateways) faults.push('a gateway does not run');
    for (const { states, figures, process } of gateways) {
      if (states === null) {
        faults.push(`${process.name} has not caught up`);
        continue;
      }
      for (const key of this.#world.plan.runs) {
        const state = states.get(key) ?? null;
        const text = oracle.latestText(key);
        if ((state === null ? null : JSON.stringify(state)) !== text) {
          const { latest } = oracle.runs.get(key) ?? { latest: null };
          faults.push(
            `${process.name} holds ${key} at ${state?.position.seq}, the fold is at ${latest?.position.seq}`,
          );
        }
        const held = figures?.get(key);
        if ((held === undefined ? null : bytesOf(held).toString('latin1')) !== oracle.latestFigures(key)) {
          faults.push(`${process.name} holds other figures of ${key} than the fold`);
        }
      }
    }
    for (const client of this.#clients) faults.push(...client.unsettled());
    return faults;
  }
}

function living<Of>(programs: ReadonlyMap<SimulatedProcess, Of>): Of[] {
  return [...programs].flatMap(([process, program]) => (process.crashed ? [] : [program]));
}
