import { lastingIterator } from '@runlog/topic-io/lasting-iterator';
import type { Assignment, GroupMember } from '@runlog/topic-io/topic-io';
import type { SimulatedGroup } from './simulated-group.ts';
import type { Connection } from './simulated-topic-io.ts';

const HEARTBEAT_MS = 3_000;
const RETRY_MS = 400;
const CONFIRM_MS_MAX = 10_000;
const FIRST_ASSIGNMENT_MS_MAX = 5_000;

/** A member's side of the group: it sends heartbeats, and joins again when its session is over. */
export class SimulatedMember implements GroupMember {
  readonly #connection: Connection;
  readonly #group: SimulatedGroup;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#close();
  #id: number | null = null;
  #generation = -1;
  #newest: Assignment | null = null;
  #waiting: ((result: IteratorResult<Assignment>) => void)[] = [];
  #cancelHeartbeat: (() => void) | null = null;
  #closed = false;
  #announceFirst: () => void = () => undefined;
  readonly #firstAssignment = new Promise<void>((resolve) => {
    this.#announceFirst = resolve;
  });
  readonly #iterator = lastingIterator<Assignment>(() => this.#next());

  private constructor(connection: Connection, options: { group: SimulatedGroup; signal?: AbortSignal }) {
    this.#connection = connection;
    this.#group = options.group;
    this.#signal = options.signal;
    connection.resources.add(this);
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (this.#signal?.aborted === true) this.#close();
    else {
      void this.#join();
      this.#beatLater();
    }
  }

  /**
   * Joins as Kafka's member does: rejects if the log does not answer, and resolves with the first assignment, or after
   * a while without one.
   */
  static async open(
    connection: Connection,
    options: { group: string; topic: string; signal?: AbortSignal },
  ): Promise<SimulatedMember> {
    const { log, network, process } = connection;
    const group = await network.ask(process, () => log.group(options.group, options.topic));
    const { signal } = options;
    const member = new SimulatedMember(connection, { group, ...(signal === undefined ? {} : { signal }) });
    await Promise.race([member.#firstAssignment, connection.pause(FIRST_ASSIGNMENT_MS_MAX)]);
    return member;
  }

  async confirm(generation: number): Promise<boolean> {
    const { network, process } = this.#connection;
    const untilMs = process.clock.now() + CONFIRM_MS_MAX;
    for (;;) {
      const id = this.#id;
      if (this.#closed || id === null || generation !== this.#generation) return false;
      try {
        const verdict = await network.ask(process, () => this.#group.heartbeat(id, generation));
        if (verdict === 'unknown' && this.#id === id) void this.#join();
        return verdict === 'accepted' && !this.#closed && this.#generation === generation;
      } catch {
        if (process.clock.now() > untilMs) return false;
        await this.#connection.pause(RETRY_MS);
      }
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<Assignment> {
    return this.#iterator;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }

  #next(): Promise<IteratorResult<Assignment>> {
    if (this.#closed) return Promise.resolve({ done: true, value: undefined });
    const assignment = this.#newest;
    this.#newest = null;
    if (assignment !== null) return Promise.resolve({ done: false, value: assignment });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#announceFirst();
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#connection.resources.delete(this);
    this.#cancelHeartbeat?.();
    for (const answer of this.#waiting.splice(0)) answer({ done: true, value: undefined });
    const { network, process } = this.#connection;
    const id = this.#id;
    if (id !== null) network.ask(process, () => this.#group.leave(id)).catch(() => undefined);
  }

  async #join(): Promise<void> {
    const { network, process } = this.#connection;
    this.#id = null;
    while (!this.#closed) {
      try {
        const id = await network.ask(process, () => {
          const joined: number = this.#group.join((assignment) => this.#deliver(joined, assignment));
          return joined;
        });
        // An answer can be late, and its membership may already be over.
        this.#id = Math.max(this.#id ?? id, id);
        return;
      } catch {
        await this.#connection.pause(RETRY_MS);
      }
    }
  }

  #deliver(id: number, assignment: Assignment): void {
    const { network, process } = this.#connection;
    const arrive = () => {
      // The assignment belongs to a membership that is over, or a newer generation has overtaken it.
      if (this.#closed || (this.#id ?? id) > id || assignment.generation <= this.#generation) return;
      this.#id = id;
      this.#generation = assignment.generation;
      this.#announceFirst();
      const answer = this.#waiting.shift();
      if (answer === undefined) this.#newest = assignment;
      else answer({ done: false, value: assignment });
    };
    process.scheduler.after(network.latencyMs(process), arrive, process);
  }

  #beatLater(): void {
    const { network, process } = this.#connection;
    this.#cancelHeartbeat = process.clock.after(HEARTBEAT_MS, () => {
      this.#beatLater();
      const id = this.#id;
      if (id === null || network.isDown) return;
      if (this.#group.heartbeat(id, this.#generation) === 'unknown') void this.#join();
    });
  }
}
