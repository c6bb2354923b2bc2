import type { HeldShare } from '@runlog/schema/log/held-share';
import { lastingIterator } from '../lasting-iterator.ts';
import { HOLDS_NOTHING, shareOut } from '../share-out.ts';
import type { Assignment, GroupMember } from '../topic-io.ts';

interface Group {
  generation: number;
  readonly members: EmbeddedGroupMember[];
}

/**
 * The groups of this process. An embedded log has one owner process, so no other process can be a member. A
 * member that joins or leaves moves no more partitions than an even share needs.
 */
export class EmbeddedGroups {
  readonly #groups = new Map<string, Group>();

  join(options: {
    group: string;
    topic: string;
    partitions: number;
    signal: AbortSignal | undefined;
  }): EmbeddedGroupMember {
    const name = `${options.group}\n${options.topic}`;
    const group = this.#groups.get(name) ?? { generation: 0, members: [] };
    this.#groups.set(name, group);
    const member = new EmbeddedGroupMember({
      signal: options.signal,
      generation: () => group.generation,
      leave: (leaving) => {
        group.members.splice(group.members.indexOf(leaving), 1);
        share(group, options.partitions);
      },
    });
    group.members.push(member);
    share(group, options.partitions);
    if (options.signal?.aborted === true) member.close();
    return member;
  }

  close(): void {
    for (const { members } of this.#groups.values()) {
      for (const member of [...members]) member.close();
    }
  }
}

/**
 * A group without members keeps its generation number, so that a former member's generation never becomes valid again.
 */
function share(group: Group, partitions: number): void {
  group.generation += 1;
  const { members, generation } = group;
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  const shares = shareOut({ partitions: all, members: members.map(({ held }) => held) });
  for (const [index, member] of members.entries()) member.assign({ generation, partitions: shares[index]! });
}

export class EmbeddedGroupMember implements GroupMember {
  readonly #generation: () => number;
  readonly #leave: (member: EmbeddedGroupMember) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.close();
  #held: HeldShare = HOLDS_NOTHING;
  #newest: Assignment | null = null;
  #waiting: ((result: IteratorResult<Assignment>) => void)[] = [];
  #closed = false;
  readonly #iterator = lastingIterator<Assignment>(() => this.#next());

  constructor(options: {
    signal: AbortSignal | undefined;
    generation: () => number;
    leave: (member: EmbeddedGroupMember) => void;
  }) {
    this.#signal = options.signal;
    this.#generation = options.generation;
    this.#leave = options.leave;
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** What it was assigned last. */
  get held(): HeldShare {
    return this.#held;
  }

  assign(assignment: Assignment): void {
    this.#held = assignment;
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#newest = assignment;
    else waiting({ done: false, value: assignment });
  }

  async confirm(generation: number): Promise<boolean> {
    return !this.#closed && this.#generation() === generation;
  }

  [Symbol.asyncIterator](): AsyncIterator<Assignment> {
    return this.#iterator;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#leave(this);
    for (const answer of this.#waiting.splice(0)) answer({ done: true, value: undefined });
  }

  async #next(): Promise<IteratorResult<Assignment>> {
    if (this.#closed) return { done: true, value: undefined };
    const newest = this.#newest;
    if (newest === null) return await new Promise((resolve) => this.#waiting.push(resolve));
    this.#newest = null;
    return { done: false, value: newest };
  }
}
