import type { Assignment } from '@runlog/topic-io/topic-io';
import type { Scheduler } from './scheduler.ts';
import type { SeededRandom } from './seeded-random.ts';

const SESSION_MS = 10_000;
const REBALANCE_MS_MAX = 800;

interface Member {
  readonly id: number;
  readonly onAssignment: (assignment: Assignment) => void;
  seenAtMs: number;
}

/**
 * The coordinator of one consumer group: generations, sessions, and shares that the seed decides and that need not be
 * fair.
 */
export class SimulatedGroup {
  /** The committed offsets, which only lag tools use. */
  readonly offsets = new Map<number, number>();
  readonly #options: { scheduler: Scheduler; random: SeededRandom; partitions: () => number };
  readonly #members = new Map<number, Member>();
  #generation = 0;
  #isStable = true;
  #nextId = 1;

  constructor(options: { scheduler: Scheduler; random: SeededRandom; partitions: () => number }) {
    this.#options = options;
  }

  join(onAssignment: (assignment: Assignment) => void): number {
    const id = this.#nextId;
    this.#nextId += 1;
    const member: Member = { id, onAssignment, seenAtMs: this.#options.scheduler.nowMs };
    this.#members.set(id, member);
    this.#expireLater(member, SESSION_MS);
    this.rebalance();
    return id;
  }

  leave(id: number): void {
    if (this.#members.delete(id)) this.rebalance();
  }

  /** Keeps the session alive. Returns `unknown` if it is over; the member must then join again. */
  heartbeat(id: number, generation: number): 'accepted' | 'moved on' | 'unknown' {
    const member = this.#members.get(id);
    if (member === undefined) return 'unknown';
    member.seenAtMs = this.#options.scheduler.nowMs;
    return this.#isStable && generation === this.#generation ? 'accepted' : 'moved on';
  }

  /** Begins a rebalance. Between generations nobody's heartbeat is accepted. */
  rebalance(): void {
    if (!this.#isStable) return;
    this.#isStable = false;
    const { scheduler, random } = this.#options;
    scheduler.after(random.between(1, REBALANCE_MS_MAX), () => this.#share());
  }

  #share(): void {
    const { random, partitions } = this.#options;
    this.#isStable = true;
    this.#generation += 1;
    const members = random.shuffled([...this.#members.values()]);
    const shares = new Map<number, number[]>(members.map(({ id }) => [id, []]));
    const order = random.shuffled(Array.from({ length: partitions() }, (_, partition) => partition));
    for (const [index, partition] of order.entries()) {
      if (members.length > 0) shares.get(members[index % members.length]!.id)!.push(partition);
    }
    for (const { id, onAssignment } of members) {
      onAssignment({ generation: this.#generation, partitions: shares.get(id)! });
    }
  }

  #expireLater(member: Member, inMs: number): void {
    const { scheduler } = this.#options;
    scheduler.after(inMs, () => {
      if (this.#members.get(member.id) !== member) return;
      const leftMs = member.seenAtMs + SESSION_MS - scheduler.nowMs;
      if (leftMs > 0) this.#expireLater(member, leftMs);
      else this.leave(member.id);
    });
  }
}
