import type { HeldShare } from '@runlog/schema/log/held-share';
import assignerProtocol from 'kafkajs/src/consumer/assignerProtocol.js';
import { lastingIterator } from '../lasting-iterator.ts';
import { HOLDS_NOTHING, shareOut } from '../share-out.ts';
import type { Assignment, GroupMember, TopicIoError } from '../topic-io.ts';
import { BOUNDS } from './config.ts';
import { about, type FaultSubject, isDenied, KAFKA, type KafkaFault, toKafkaFault } from './faults.ts';
import { decodeHeldShare, encodeHeldShare } from './held-share.ts';
import type { KafkaSession } from './session.ts';

const { MemberAssignment, MemberMetadata } = assignerProtocol;
/** Builds that deal in turn have this name too. It must stay, or the two could not be members of one group. */
const PROTOCOL = 'RoundRobinAssigner';
const PROTOCOL_VERSION = 0;
const REJOIN_DELAY_MIN_MS = 50;
const REJOIN_DELAY_MAX_MS = 2_000;
/** A verdict of the brokers that may pass is told when it has lasted so long, such as that the group has no coordinator. */
const TOLD_AFTER_MS = 5_000;

/** Errors which say that the group has moved on. Joining again is all that is needed. */
const REJOIN_AT_ONCE = new Set<number | null>([
  KAFKA.rebalanceInProgress,
  KAFKA.illegalGeneration,
  KAFKA.unknownMemberId,
]);

interface Membership {
  readonly memberId: string;
  readonly generation: number;
}

/**
 * A member by Kafka's classic group protocol, with its four requests: join, sync, heartbeat, leave. There is nothing to
 * fetch and nothing to commit, so kafkajs's consumer is not needed, and heartbeats never wait for a fetch.
 */
export class KafkaGroupMember implements GroupMember {
  readonly #session: KafkaSession;
  /**
   * We do not close this session. It is separate so that leaving need not wait behind a join that is still pending on
   * our own connection.
   */
  readonly #leaveSession: KafkaSession;
  readonly #group: string;
  readonly #topic: string;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = () => void this[Symbol.asyncDispose]();
  #memberId = '';
  #membership: Membership | null = null;
  /** What we were assigned last. It is told to the leader, which leaves with us as much of it as it can. */
  #held: HeldShare = HOLDS_NOTHING;
  #newest: Assignment | null = null;
  #waiting: ((result: IteratorResult<Assignment>) => void)[] = [];
  readonly #pauses = new Set<() => void>();
  #disposal: Promise<void> | null = null;
  #running: Promise<void> = Promise.resolve();
  #announceFirst: () => void = () => undefined;
  readonly #firstAssignment = new Promise<void>((resolve) => {
    this.#announceFirst = resolve;
  });
  #announceDenial: (denial: TopicIoError) => void = () => undefined;
  /** Is settled only if the first join is refused. */
  readonly #firstDenial = new Promise<TopicIoError>((resolve) => {
    this.#announceDenial = resolve;
  });
  readonly #onRefused: (refusal: TopicIoError | null) => void;
  /** The code of the refusal that was told last. */
  #told: TopicIoError['code'] | null = null;
  /** Since when the brokers refuse us; null while they do not. */
  #refusedSinceMs: number | null = null;
  #isOpen = false;
  readonly #iterator = lastingIterator<Assignment>(() => this.#next());

  private constructor(options: GroupMemberOptions) {
    this.#session = options.session;
    this.#leaveSession = options.leaveSession;
    this.#group = options.group;
    this.#topic = options.topic;
    this.#signal = options.signal;
    this.#onRefused = options.onRefused ?? (() => undefined);
  }

  /**
   * Resolves when the first assignment has arrived, or after a while without one. Other members, or the remains of a
   * killed one, may delay the join, and joining then continues in the background. Rejects when the cluster or the topic
   * does not answer, and with `denied` when this process may not join.
   */
  static async open(options: GroupMemberOptions): Promise<KafkaGroupMember> {
    const { session, topic, group } = options;
    await session.attempt({ doing: `join group ${group}`, timeoutMs: BOUNDS.operationMs }, () =>
      session.partitions(topic),
    );
    const member = new KafkaGroupMember(options);
    member.#signal?.addEventListener('abort', member.#onAbort, { once: true });
    if (member.#signal?.aborted) member.#onAbort();
    else member.#running = member.#run();
    const denial = await Promise.race([
      member.#firstAssignment,
      member.#firstDenial,
      member.#pause(BOUNDS.operationMs),
    ]);
    member.#isOpen = true;
    if (denial === undefined) return member;
    await member[Symbol.asyncDispose]();
    throw denial;
  }

  async confirm(generation: number): Promise<boolean> {
    const endsMs = performance.now() + BOUNDS.sessionMs;
    for (;;) {
      // This is also null once the member is disposed.
      const membership = this.#membership;
      if (membership === null || membership.generation !== generation) return false;
      try {
        await this.#session.once(() => this.#heartbeat(membership));
        return this.#membership === membership;
      } catch (error) {
        const fault = toKafkaFault(error);
        if (isDenied(fault)) return false;
        // If no verdict came for a whole session timeout, we must assume that the session is over, and join again.
        if (REJOIN_AT_ONCE.has(fault.code) || performance.now() >= endsMs) {
          if (fault.code === KAFKA.unknownMemberId) this.#memberId = '';
          this.#lost(membership);
          return false;
        }
        await this.#pause(REJOIN_DELAY_MIN_MS);
      }
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<Assignment> {
    return this.#iterator;
  }

  /** Leaves the group, so that the others need not wait for the session to time out. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async #dispose(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#membership = null;
    for (const answer of this.#waiting.splice(0)) answer({ done: true, value: undefined });
    await this.#session.close({ abrupt: true });
    for (const end of this.#pauses) end();
    await this.#running;
    const memberId = this.#memberId;
    if (memberId === '') return;
    const leaving = { doing: `leave group ${this.#group}`, timeoutMs: BOUNDS.closeMs };
    try {
      await this.#leaveSession.attempt(leaving, async () => {
        const coordinator = await this.#leaveSession.coordinator({ kind: 'group', id: this.#group });
        await coordinator.leaveGroup({ groupId: this.#group, memberId });
      });
    } catch {
      // The session timeout will remove the member.
    }
  }

  #next(): Promise<IteratorResult<Assignment>> {
    const newest = this.#newest;
    this.#newest = null;
    if (this.#disposal !== null) return Promise.resolve({ done: true, value: undefined });
    if (newest !== null) return Promise.resolve({ done: false, value: newest });
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  async #run(): Promise<void> {
    let delayMs = REJOIN_DELAY_MIN_MS;
    while (this.#disposal === null) {
      try {
        const membership = this.#membership ?? (await this.#session.once(() => this.#join()));
        delayMs = REJOIN_DELAY_MIN_MS;
        await this.#pause(BOUNDS.heartbeatMs);
        if (this.#disposal !== null || this.#membership !== membership) continue;
        await this.#session.once(() => this.#heartbeat(membership));
        this.#wasAllowed();
      } catch (error) {
        if (this.#disposal !== null) return;
        const fault = toKafkaFault(error);
        this.#concede(fault);
        if (REJOIN_AT_ONCE.has(fault.code)) continue;
        this.#wasRefused(fault);
        await this.#pause(delayMs);
        delayMs = Math.min(delayMs * 2, REJOIN_DELAY_MAX_MS);
      }
    }
  }

  /**
   * Handles a failed heartbeat. A missed one costs nothing; a verdict against us costs the generation, or also the
   * member id.
   */
  #concede(fault: KafkaFault): void {
    if (REJOIN_AT_ONCE.has(fault.code)) this.#membership = null;
    if (fault.code === KAFKA.unknownMemberId) this.#memberId = '';
  }

  #lost(membership: Membership): void {
    if (this.#membership === membership) this.#membership = null;
    for (const end of this.#pauses) end();
  }

  get #subject(): FaultSubject {
    return { resource: 'group', name: this.#group, operation: 'Read' };
  }

  #wasRefused(fault: KafkaFault): void {
    // Of a broker that does not answer, others tell.
    if (fault.code === null) return;
    const nowMs = performance.now();
    this.#refusedSinceMs ??= nowMs;
    if (!isDenied(fault) && nowMs - this.#refusedSinceMs < TOLD_AFTER_MS) return;
    const refusal = this.#session.explained(fault, { doing: `join group ${this.#group}` });
    if (this.#told === refusal.code) return;
    this.#told = refusal.code;
    // Until the member is open, the rejection tells it.
    if (this.#isOpen || !isDenied(fault)) this.#onRefused(refusal);
    else this.#announceDenial(refusal);
  }

  #wasAllowed(): void {
    this.#refusedSinceMs = null;
    if (this.#told !== null) this.#onRefused(null);
    this.#told = null;
  }

  async #join(): Promise<Membership> {
    const session = this.#session;
    const coordinator = await session.coordinator({ kind: 'group', id: this.#group });
    const joining = coordinator.joinGroup({
      groupId: this.#group,
      sessionTimeout: BOUNDS.sessionMs,
      rebalanceTimeout: BOUNDS.rebalanceMs,
      memberId: this.#memberId,
      groupProtocols: [
        {
          name: PROTOCOL,
          metadata: MemberMetadata.encode({
            version: PROTOCOL_VERSION,
            topics: [this.#topic],
            userData: encodeHeldShare(this.#held),
          }),
        },
      ],
    });
    const joined = await about(this.#subject, joining);
    this.#memberId = joined.memberId;
    const isLeader = joined.memberId === joined.leaderId;
    const synced = await coordinator.syncGroup({
      groupId: this.#group,
      generationId: joined.generationId,
      memberId: joined.memberId,
      groupAssignment: isLeader ? await this.#share(joined.members) : [],
    });
    const assignment = MemberAssignment.decode(synced.memberAssignment)?.assignment ?? {};
    this.#wasAllowed();
    const membership = { memberId: joined.memberId, generation: joined.generationId };
    const partitions = [...(assignment[this.#topic] ?? [])].sort((a, b) => a - b);
    if (this.#disposal === null) this.#joined(membership, partitions);
    return membership;
  }

  async #share(members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[]) {
    const partitions = (await this.#session.partitions(this.#topic)).map(({ partitionId }) => partitionId);
    // In the order of their ids, so that every leader decides alike.
    const sorted = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
    const held = sorted.map(({ memberMetadata }) =>
      decodeHeldShare(MemberMetadata.decode(memberMetadata).userData),
    );
    const shares = shareOut({ partitions, members: held });
    return sorted.map(({ memberId }, index) => ({
      memberId,
      memberAssignment: MemberAssignment.encode({
        version: PROTOCOL_VERSION,
        assignment: { [this.#topic]: shares[index]! },
      }),
    }));
  }

  #joined(membership: Membership, partitions: readonly number[]): void {
    this.#membership = membership;
    this.#announceFirst();
    const assignment = { generation: membership.generation, partitions };
    this.#held = assignment;
    const answer = this.#waiting.shift();
    if (answer === undefined) this.#newest = assignment;
    else answer({ done: false, value: assignment });
  }

  async #heartbeat(membership: Membership): Promise<void> {
    const coordinator = await this.#session.coordinator({ kind: 'group', id: this.#group });
    await about(
      this.#subject,
      coordinator.heartbeat({
        groupId: this.#group,
        groupGenerationId: membership.generation,
        memberId: membership.memberId,
      }),
    );
  }

  #pause(timeoutMs: number): Promise<void> {
    if (this.#disposal !== null) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#pauses.delete(end);
        resolve();
      };
      const timer = setTimeout(end, timeoutMs);
      this.#pauses.add(end);
    });
  }
}

interface GroupMemberOptions {
  readonly session: KafkaSession;
  readonly leaveSession: KafkaSession;
  readonly group: string;
  readonly topic: string;
  readonly signal?: AbortSignal;
  readonly onRefused?: (refusal: TopicIoError | null) => void;
}
