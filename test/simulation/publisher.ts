import { partitionOf } from '@runlog/topic-io/partitioner';
import type { RecordToAppend, TopicWriter } from '@runlog/topic-io/topic-io';
import { encodeEvent } from './encode-event.ts';
import type { PlannedEvent, PlannedRequest } from './plan.ts';
import type { Program } from './service.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import { START_MS, type World } from './world.ts';

const ANSWER_MS_MAX = 6_000;
const RESEND_MS_MAX = 3_000;
const HTTP_MS_MAX = 30;

/**
 * A model of an ingest process that covers the order and fate of events: lanes to the log, and one answer per request.
 */
export class IngestProgram implements Program {
  readonly process: SimulatedProcess;
  readonly #world: World;
  readonly #io: ReturnType<World['openLog']>;
  readonly #writer: Promise<TopicWriter>;

  constructor(world: World, process: SimulatedProcess) {
    this.#world = world;
    this.process = process;
    this.#io = world.openLog(process);
    this.#writer = this.#io.writer();
  }

  /** Returns the ids that the log acknowledged. */
  async accept(events: readonly PlannedEvent[]): Promise<string[]> {
    const { topics, plan } = this.#world;
    const nowMs = this.process.clock.now();
    const lanes = new Map<number, { ids: string[]; records: RecordToAppend[] }>();
    for (const event of events) {
      const partition = partitionOf(event.run, plan.partitions);
      const lane = lanes.get(partition) ?? { ids: [], records: [] };
      lanes.set(partition, lane);
      lane.ids.push(event.id);
      lane.records.push(encodeEvent(event, nowMs));
    }
    const writer = await this.#writer;
    const answers = [...lanes].map(async ([partition, { ids, records }]) => {
      const { acknowledged } = await writer.append({ topic: topics.events, partition, records });
      return ids.slice(0, acknowledged);
    });
    return (await Promise.all(answers)).flat();
  }

  async stop(): Promise<void> {
    await this.#io[Symbol.asyncDispose]();
  }
}

/**
 * Runs every emitter of a history. It sends events, and sends again those that were not acknowledged, whether or not
 * they are in the log.
 */
export class Publishers {
  readonly acknowledged = new Set<string>();
  readonly #dead = new Set<string>();
  readonly #world: World;
  readonly #ingests: () => readonly IngestProgram[];
  readonly #random;
  #open = 0;

  constructor(world: World, ingests: () => readonly IngestProgram[]) {
    this.#world = world;
    this.#ingests = ingests;
    this.#random = world.random.fork('publishers');
    for (const request of world.plan.requests) {
      world.scheduler.after(START_MS + request.atMs - world.scheduler.nowMs, () => {
        this.#open += 1;
        this.#send(request, request.events);
        const { copyAfterMs } = request;
        if (copyAfterMs !== null)
          world.scheduler.after(copyAfterMs, () => this.#carry(request.events, () => undefined));
      });
    }
  }

  /** Whether everything that living emitters sent is acknowledged. */
  get isDone(): boolean {
    return this.#open === 0;
  }

  die(emitter: string): void {
    this.#dead.add(emitter);
  }

  #send(request: PlannedRequest, events: readonly PlannedEvent[]): void {
    if (this.#dead.has(request.emitter)) {
      this.#open -= 1;
      return;
    }
    const { scheduler } = this.#world;
    let isAnswered = false;
    const again = () => {
      if (isAnswered) return;
      isAnswered = true;
      const rest = events.filter(({ id }) => !this.acknowledged.has(id));
      if (rest.length === 0) this.#open -= 1;
      else scheduler.after(this.#random.between(10, RESEND_MS_MAX), () => this.#send(request, rest));
    };
    const cancelTimeout = scheduler.after(ANSWER_MS_MAX, again);
    this.#carry(events, (acknowledged) => {
      for (const id of acknowledged) this.acknowledged.add(id);
      cancelTimeout();
      again();
    });
  }

  /** Carries events to some ingest and its answer back, unless one of them is lost. */
  #carry(events: readonly PlannedEvent[], onAnswer: (acknowledged: readonly string[]) => void): void {
    const { scheduler, plan } = this.#world;
    const isSlow = this.#random.chance(plan.slowChance);
    const thereMs = this.#random.between(0, isSlow ? plan.slowMsMax : HTTP_MS_MAX);
    const backMs = this.#random.between(0, HTTP_MS_MAX);
    const ingests = this.#ingests();
    if (ingests.length === 0) return;
    const ingest = this.#random.pick(ingests);
    scheduler.after(
      thereMs,
      () =>
        void ingest
          .accept(events)
          .then((ids) => scheduler.after(backMs, () => onAnswer(ids), ingest.process)),
      ingest.process,
    );
  }
}
