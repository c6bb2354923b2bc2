import { TopicIoError } from '@runlog/topic-io/topic-io';
import { type Build, thisBuild } from './build.ts';
import type { Fault } from './plan.ts';
import { RebuildProgram } from './rebuild-program.ts';
import { Service, type StartProgram } from './service.ts';
import { Violation } from './violation.ts';
import type { World } from './world.ts';

/** How often a rebuild may refuse without another cause. */
const REFUSALS_MAX = 5;
const UPDATED_CHANCE = 0.5;

/** The operator of the services: rebuilds, updates, and reacts to services that end and say why. */
export class Operator {
  readonly #world: World;
  readonly #services: Map<string, Service>;
  readonly #rebuilds: RebuildProgram[] = [];
  readonly #random;
  /** Null if there is none yet. */
  #newer: Build | null = null;
  readonly #updated = new Set<string>();
  #refusals = 0;

  constructor(world: World, services: Map<string, Service>) {
    this.#world = world;
    this.#services = services;
    this.#random = world.random.fork('operator');
  }

  /** Returns the build for a process that starts now. */
  buildOf(service: string): Build {
    if (this.#newer === null) return thisBuild;
    if (this.#random.chance(UPDATED_CHANCE)) this.#updated.add(service);
    return this.#updated.has(service) ? this.#newer : thisBuild;
  }

  /** Whether a service may end with this error. The operator acts on its message. */
  mayEnd(service: string, error: unknown): boolean {
    if (!(error instanceof TopicIoError) || error.code !== 'unusable') return false;
    const world = this.#world;
    if (error.message.includes('update this process')) {
      world.reach('an older process ends');
      this.#updated.add(service);
    } else if (error.message.includes('run "runlog rebuild"')) world.reach('a newer process ends');
    else if (error.message.includes('recreated')) world.reach('a process refuses other events');
    return world.plan.faults.some(({ kind }) => MAY_END_SERVICES.has(kind));
  }

  /** Introduces a newer build. It rebuilds, and services are updated when they start anew or when they ask for it. */
  upgrade(newer: Build): void {
    this.#newer = newer;
    this.rebuild({ distrusts: false, dropOld: false }, newer);
  }

  /** Deletes the events topic. Sooner or later it exists again, empty. */
  deleteEvents({ downMs }: { downMs: number }): void {
    const { log, topics, oracle, scheduler } = this.#world;
    const description = log.describeTopic(topics.events);
    if (description === null || oracle.meta === null) return;
    log.deleteTopic(topics.events);
    scheduler.after(downMs, () => log.ensureTopic({ ...description, cleanupPolicy: 'delete' }));
  }

  rebuild(how: Pick<Extract<Fault, { kind: 'rebuild' }>, 'distrusts' | 'dropOld'>, by?: Build): void {
    const world = this.#world;
    const name = `rebuild-${this.#rebuilds.length + 1}`;
    const index = this.#rebuilds.length;
    const build = by ?? this.buildOf(name);
    const start: StartProgram = (process, fail) => {
      const program = new RebuildProgram(world, { ...how, build, process, fail });
      this.#rebuilds[index] = program;
      return program;
    };
    // The process is started again after a passing fault.
    const mayFail = (error: unknown) => error instanceof TopicIoError;
    this.#services.set(name, new Service(world, { name, start, mayFail }));
  }

  /** Whether the events topic is another than the one that run-meta names. */
  #areEventsOthers(): boolean {
    const { log, topics, oracle } = this.#world;
    const id = log.describeTopic(topics.events)?.id;
    return id !== undefined && id !== oracle.meta?.events_id;
  }

  /** Whether the events that the snapshots lack are gone. Then no aggregator goes on. */
  #areEventsLost(): boolean {
    const { log, topics, oracle } = this.#world;
    if (log.describeTopic(topics.events) === null) return false;
    const partitions = log.partitions(topics.events);
    return partitions.some(({ index, startOffset }) => Math.max(0, oracle.checkpoint(index)) < startOffset);
  }

  /** Returns what is still to be done. If a rebuild would do it and none is running, one is started. */
  unsettled(): string[] {
    const { oracle } = this.#world;
    const { meta } = oracle;
    if (meta === null) return ['nothing is agreed on'];
    const latest = this.#rebuilds.at(-1)?.outcome ?? null;
    if (this.#rebuilds.some(({ outcome }) => outcome === 'under way')) return ['a rebuild is under way'];
    const isOld = this.#newer !== null && meta.fold < this.#newer.fold;
    const isRefused = latest !== null && typeof latest === 'object';
    if (!isOld && !isRefused && !oracle.isOutlived && !this.#areEventsLost() && !this.#areEventsOthers())
      return [];
    if (isRefused) this.#refusals += 1;
    if (this.#refusals > REFUSALS_MAX) {
      throw new Violation(`no rebuild can be had: ${isRefused ? latest.refused : ''}`);
    }
    this.rebuild({ distrusts: false, dropOld: false }, this.#newer ?? thisBuild);
    return ['a rebuild is to be done'];
  }
}

/**
 * The faults after which a process ends: retention has overtaken it, it needs an update, or the events are not its own.
 */
const MAY_END_SERVICES = new Set<Fault['kind']>([
  ...(['retention', 'truncation', 'upgrade', 'events deleted'] as const),
]);
