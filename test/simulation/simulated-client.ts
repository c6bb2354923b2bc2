import { IndexWindow } from '@runlog/client/index-window';
import { type ReplicaUpdate, RunReplica } from '@runlog/client/run-replica';
import { deliverSnapshot, rowOf } from '@runlog/run-state/delivery';
import { runOrder } from '@runlog/run-state/run-order';
import { formatRunKey } from '@runlog/schema/run/run-key';
import { RUN_SORT_DEFAULT } from '@runlog/schema/run/run-sorting';
import { compileWhere } from '@runlog/schema/run/run-where';
import {
  type DeliveredEntry,
  type DeliveredSnapshot,
  type RunRow,
  type RunSnapshot,
  type RunState,
  runStateSchema,
} from '@runlog/schema/run/snapshot';
import type { ServerFrameFields, Skipped, StateCounts } from '@runlog/schema/stream/server-frames';
import type { IndexSubscription as AskedView } from '@runlog/schema/stream/subscriptions';
import { digest } from './digest.ts';
import type { GatewayProgram } from './gateway-program.ts';
import type { Resume } from './plan.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedSocket, SocketClient } from './simulated-socket.ts';
import { holds } from './violation.ts';
import type { World } from './world.ts';

const RECONNECT_MS_MAX = 2_000;

/** The view that each client has beside that of all runs by time. It is another one in another history. */
const OTHER_VIEWS: readonly Omit<AskedView, 'ch'>[] = [
  { sort: 'state' },
  { sort: '-state', group_by: 'cluster_id' },
  { sort: 'state', group_by: 'task_name' },
  { sort: 'run_id', group_by: 'state' },
  { sort: 'state', group_by: 'state', where: ['missing=0', 'events>2'] },
];

/** A client with the real replica of every run. Each step that it is told is compared with the fold. */
export class SimulatedClient implements SocketClient {
  readonly name: string;
  readonly isHeavy: boolean;
  isStalled = false;
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #gateways: () => readonly GatewayProgram[];
  #replicas = new Map<string, RunReplica>();
  readonly #asked: readonly AskedView[];
  /** By channel. */
  #indexes = new Map<string, IndexWindow>();
  #socket: SimulatedSocket | null = null;
  #resume: Resume = 'since';
  #nextId = 1;

  constructor(
    world: World,
    options: { name: string; isHeavy: boolean; gateways: () => readonly GatewayProgram[] },
  ) {
    this.#world = world;
    this.name = options.name;
    this.isHeavy = options.isHeavy;
    this.#random = world.random.fork(options.name);
    this.#gateways = options.gateways;
    const other = OTHER_VIEWS[world.plan.seed % OTHER_VIEWS.length]!;
    // Two views of one connection need two channels.
    this.#asked = [{ ch: 'runs:*' }, { ...other, ch: 'runs:c1/*' }];
    this.#forget();
    this.#connectLater();
  }

  received(message: string): void {
    for (const line of message.split('\n')) this.#receive(JSON.parse(line) as ServerFrameFields);
  }

  closed(): void {
    if (this.#socket === null) return;
    this.#world.note(() => `${this.name}: the connection is closed`);
    this.#socket = null;
    for (const replica of this.#replicas.values()) replica.disconnected();
    this.#connectLater();
  }

  disconnect(resume: Resume): void {
    this.#resume = resume;
    this.#socket?.abandon();
    this.closed();
  }

  stall(): void {
    this.isStalled = true;
  }

  resume(): void {
    this.isStalled = false;
    this.#socket?.resume();
  }

  /** Returns what the client does not hold yet. The list is empty when it is in sync. */
  unsettled(): string[] {
    const nowMs = this.#world.scheduler.nowMs;
    const faults: string[] = [];
    for (const [key, { snapshot }] of this.#replicas) {
      const truth = this.#world.oracle.latest(key);
      const expected = truth === null ? null : timeless(deliverSnapshot(truth, nowMs));
      const held = snapshot === null || snapshot.position === null ? null : timeless(snapshot);
      if (canonical(held) !== canonical(expected)) {
        faults.push(
          `${this.name} holds ${key} at ${snapshot?.position?.seq}, the fold is at ${truth?.position.seq}`,
        );
      }
    }
    return [...faults, ...this.#asked.flatMap((asked) => this.#unsettledIndex(asked))];
  }

  /** Compares a view with the fold: its rows, their order, the total, the counts by state, and the groups. */
  #unsettledIndex(asked: AskedView): string[] {
    const nowMs = this.#world.scheduler.nowMs;
    const { oracle, plan } = this.#world;
    const order = runOrder(asked.sort ?? RUN_SORT_DEFAULT, asked.group_by);
    const meets = compileWhere(asked.where)?.test ?? (() => true);
    const found = plan.runs
      .flatMap((key) => oracle.latest(key) ?? [])
      .filter(meets)
      .map((truth) => rowOf(truth, { nowMs, spark: [] }))
      .map((row) => ({ row, place: order.placeOf(formatRunKey(row), row, row.state) }))
      .sort((left, right) => order.compare(left.place, right.place));
    const expected = found.map(({ row }) => row);
    const { rows, total, counts, groups } = this.#indexes.get(asked.ch)!;
    const faults: string[] = [];
    const shown = rows.map(steady);
    if (canonical(shown) !== canonical(expected.map(steady))) {
      const seqs = (of: readonly RunRow[]) => of.map((row) => `${row.run_id} at ${row.seq}`).join(', ');
      faults.push(`${this.name} has the index rows ${seqs(rows)}, the fold ${seqs(expected)}`);
    }
    const byState = (state: RunState) => expected.filter((row) => row.state === state).length;
    const told: Partial<StateCounts> = counts ?? {};
    if (total !== expected.length || runStateSchema.options.some((state) => told[state] !== byState(state))) {
      faults.push(`${this.name} was told ${total} runs, ${JSON.stringify(told)}, of ${expected.length}`);
    }
    const sizes = new Map<string | null, number>();
    for (const { place } of found) sizes.set(place.group, (sizes.get(place.group) ?? 0) + 1);
    const grouped = asked.group_by == null ? [] : [...sizes];
    if (JSON.stringify(groups) !== JSON.stringify(grouped)) {
      faults.push(`${this.name} has the groups ${JSON.stringify(groups)}, not ${JSON.stringify(grouped)}`);
    }
    return faults;
  }

  #forget(): void {
    this.#replicas = new Map(this.#world.plan.runs.map((key) => [key, new RunReplica()]));
    this.#indexes = new Map(this.#asked.map((asked) => [asked.ch, new IndexWindow(asked)]));
  }

  #connectLater(): void {
    this.#world.scheduler.after(this.#random.between(1, RECONNECT_MS_MAX), () => {
      const gateways = this.#gateways();
      const gateway = gateways.length === 0 ? null : this.#random.pick(gateways);
      this.#socket = gateway?.connect(this) ?? null;
      if (this.#socket === null) {
        this.#connectLater();
        return;
      }
      this.#world.note(() => `${this.name} connects to ${gateway?.process.name} with ${this.#resume}`);
      if (this.#resume === 'nothing') this.#forget();
      this.#ask([...this.#replicas.keys()], this.#resume === 'other epoch' ? 'another-epoch' : null);
      this.#socket.ask(JSON.stringify({ id: this.#takeId(), sub: this.#asked }));
      this.#resume = 'since';
    });
  }

  #ask(keys: readonly string[], epoch: string | null = null): void {
    if (keys.length === 0) return;
    const id = this.#takeId();
    const sub = keys.map((key) => {
      const replica = this.#replicas.get(key)!;
      replica.asked(id);
      const { since } = replica;
      const ch = `run:${key}`;
      if (since === null) return { ch };
      return { ch, since: epoch === null ? since : { ...since, epoch } };
    });
    this.#socket?.ask(JSON.stringify({ id, sub }));
  }

  #takeId(): number {
    this.#nextId += 1;
    return this.#nextId;
  }

  #receive(frame: ServerFrameFields): void {
    const { ch, tips } = frame;
    if (tips !== undefined) {
      const behind = Object.entries(tips)
        .map(([channel, tip]) => [channel.slice('run:'.length), tip] as const)
        .filter(([key, tip]) => this.#replicas.get(key)?.isBehind(tip));
      this.#ask(behind.map(([key]) => key));
      return;
    }
    if (ch === undefined) return;
    const index = this.#indexes.get(ch);
    if (index !== undefined) {
      receiveRows(index, frame);
      return;
    }
    const key = ch.slice('run:'.length);
    const replica = this.#replicas.get(key);
    if (replica === undefined) return;
    const before = replica.snapshot;
    const { updates, ask } = replica.receive(frame);
    for (const update of updates) this.#check(key, { before, update });
    if (ask) this.#ask([key]);
  }

  /**
   * Checks that a state which a client is shown was the fold's, and that a step shows every entry in between, once and
   * in order.
   */
  #check(key: string, told: { before: DeliveredSnapshot | null; update: ReplicaUpdate }): void {
    const { before, update } = told;
    const { snapshot } = update;
    // There was no event yet, or the commit of `run-meta` is decided and cannot be read yet.
    if (snapshot.position === null || this.#world.oracle.meta === null) return;
    const { seq, epoch } = snapshot.position;
    const { oracle } = this.#world;
    oracle.agree(key, snapshot as DeliveredSnapshot & Pick<RunSnapshot, 'position'>, this.name);
    if (oracle.isLossy(key)) return;
    const truth = oracle.truth(key, epoch);
    const state = truth?.states.get(seq);
    holds(state !== undefined, () => `${this.name} was shown ${key} at ${seq}, where the fold never was`);
    holds(
      digest(snapshot) === digest(state),
      () =>
        `${this.name} was shown another ${key} at ${seq} than the fold: ${digest(snapshot)}, not ${digest(state)}`,
    );
    if (update.kind !== 'step') return;
    const from = before?.position?.seq ?? state.first_seq - 1;
    holds(seq >= from, () => `${this.name} was taken back from ${from} to ${seq} of ${key}`);
    if (update.skipped !== null) this.#world.reach('entries are left out, and said to be');
    const expected = truth!.entries.filter((entry) => entry > from && entry <= seq);
    checkEntries(update, expected, () => `${this.name}, ${key} from ${from} to ${seq}`);
  }
}

function receiveRows(index: IndexWindow, frame: ServerFrameFields): void {
  const { rows, gone, total, counts, groups } = frame;
  if (rows === undefined || total === undefined || counts === undefined) return;
  index.receive({
    ...{ rows, total, counts },
    ...(gone === undefined ? {} : { gone }),
    ...(groups === undefined ? {} : { groups }),
  });
}

function checkEntries(
  step: { entries: readonly DeliveredEntry[]; skipped: Skipped | null },
  expected: readonly number[],
  where: () => string,
): void {
  const { skipped } = step;
  const shown = step.entries.map((entry) => entry.seq);
  const text = () => `${where()}: entries ${shown.join(' ')} came, ${expected.join(' ')} happened`;
  if (skipped === null) {
    holds(shown.join() === expected.join(), text);
    return;
  }
  const isLeftOut = (seq: number) => seq > skipped.after && seq < skipped.before;
  const known = new Set(expected);
  holds(
    shown.every((seq, at) => known.has(seq) && (at === 0 || seq > shown[at - 1]!)),
    text,
  );
  const rest = (seqs: readonly number[]) => seqs.filter((seq) => !isLeftOut(seq)).join();
  holds(rest(shown) === rest(expected), text);
  const { length } = expected.filter(isLeftOut);
  holds(
    skipped.count === null || skipped.count === length,
    () =>
      `${text()}; ${skipped.count} were said to be left out after ${skipped.after} before ${skipped.before}`,
  );
}

/** Removes the fields that depend on the present time. */
function timeless(snapshot: DeliveredSnapshot): object {
  const { freshness: _, state: _state, event_log, milestones, ...rest } = snapshot;
  const bare = ({ relative_time: _time, ...entry }: DeliveredEntry) => entry;
  return { ...rest, event_log: event_log.map(bare), milestones: milestones.map(bare) };
}

function steady(row: RunRow): object {
  const { events_per_second: _, spark: _spark, ...rest } = row;
  return rest;
}

/** Writes fields in one order, because a client's copy keeps the order in which they arrived. */
function canonical(value: object | null | undefined): string {
  if (value == null) return 'absent';
  return JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
