import { setTimeout as delay } from 'node:timers/promises';
import { RunReplica } from '@runlog/client/run-replica';
import type { DeliveredEntry, DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import type { ServerFrameFields } from '@runlog/schema/stream/server-frames';
import { WebSocket } from 'ws';
import type { Note } from './history/history-file.ts';
import { parseEventId } from './publisher.ts';
import { noteState } from './state-poller.ts';

const RECONNECT_MS = 200;
const OPEN_MS_MAX = 5_000;
/** A frozen gateway neither answers nor closes. A live one sends hello, deltas and heartbeats. */
const SILENCE_MS_MAX = 15_000;
const STATE_EVERY_SEQ = 4;

interface Followed {
  readonly key: string;
  readonly replica: RunReplica;
  /** The offset of the newest entry that was shown. */
  shown: number;
  /** The number of the newest event that was shown, by emitter. */
  readonly numbers: Map<string, number>;
  /** The numbers that were shown, of emitters whose bodies overtake each other. */
  readonly unordered: Map<string, Set<number>>;
  /** Whether the numbers go back to the run's beginning. */
  isKnown: boolean;
}

/**
 * A reader of runs that stays through every fault. After each break it comes back to the next gateway, with `since`,
 * and checks what it is shown. Nothing may come twice or out of order. Nothing may be left out, except entries that
 * were no longer in the retained event log when it came back.
 */
export class Subscriber {
  readonly violations: string[] = [];
  /** The number of connections that were opened. */
  connections = 0;
  /** The number of answers to a `since` that resumed from there. */
  resumed = 0;
  entries = 0;
  resets = 0;
  readonly name: string;
  readonly #gateways: () => readonly string[];
  readonly #runs = new Map<string, Followed>();
  readonly #unordered: ReadonlySet<string>;
  readonly #note: Note;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #turn: number;
  #frameId = 0;

  constructor(options: {
    name: string;
    runs: readonly string[];
    /** Returns the present addresses. Each connection goes to the next one. */
    gateways: () => readonly string[];
    first: number;
    /** Emitters whose bodies overtake each other. Their events may come in any order, but never twice. */
    unordered?: readonly string[];
    note?: Note;
  }) {
    this.#note = options.note ?? (() => undefined);
    this.name = options.name;
    this.#gateways = options.gateways;
    this.#turn = options.first;
    this.#unordered = new Set(options.unordered);
    for (const run of options.runs) {
      const key = `local/${run}/default`;
      this.#runs.set(`run:${key}`, {
        key,
        replica: new RunReplica(),
        shown: -1,
        numbers: new Map(),
        unordered: new Map(),
        isKnown: true,
      });
    }
    this.#running = this.#stay();
    this.#running.catch((error: unknown) => this.violations.push(`${this.name} broke: ${String(error)}`));
  }

  snapshotOf(key: string): DeliveredSnapshot | null {
    return this.#runs.get(`run:${key}`)?.replica.snapshot ?? null;
  }

  async leave(): Promise<void> {
    this.#stop.abort();
    await this.#running.catch(() => undefined);
  }

  async #stay(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const gateways = this.#gateways();
      const gateway = gateways[this.#turn % gateways.length];
      this.#turn += 1;
      if (gateway !== undefined) await this.#connection(gateway);
      for (const { replica } of this.#runs.values()) replica.disconnected();
      await delay(RECONNECT_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  /** Opens a connection, and resolves when it has ended. */
  #connection(gateway: string): Promise<void> {
    const socket = new WebSocket(`${gateway.replace('http', 'ws')}/v1/stream`, ['runlog.v1'], {
      perMessageDeflate: false,
      handshakeTimeout: OPEN_MS_MAX,
    });
    const end = () => socket.terminate();
    this.#stop.signal.addEventListener('abort', end, { once: true });
    const silence = setTimeout(end, SILENCE_MS_MAX);
    return new Promise((resolve) => {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        clearTimeout(silence);
        this.#stop.signal.removeEventListener('abort', end);
        resolve();
      });
      socket.on('open', () => {
        this.connections += 1;
        for (const channel of this.#runs.keys()) this.#ask(socket, channel);
      });
      socket.on('message', (data: Buffer) => {
        silence.refresh();
        for (const line of data.toString('utf8').split('\n'))
          this.#receive(socket, JSON.parse(line) as ServerFrameFields);
      });
    });
  }

  #ask(socket: WebSocket, channel: string): void {
    const { replica } = this.#runs.get(channel)!;
    const { since } = replica;
    this.#frameId += 1;
    replica.asked(this.#frameId);
    const sub = [{ ch: channel, ...(since === null ? {} : { since }) }];
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ id: this.#frameId, sub }));
  }

  #receive(socket: WebSocket, frame: ServerFrameFields): void {
    if (frame.error !== undefined) {
      if (frame.error.retry !== true)
        this.violations.push(`${this.name} was refused: ${JSON.stringify(frame)}`);
      socket.terminate();
      return;
    }
    if (frame.tips !== undefined) {
      for (const [channel, tip] of Object.entries(frame.tips)) {
        if (this.#runs.get(channel)?.replica.isBehind(tip) === true) this.#ask(socket, channel);
      }
    }
    const followed = frame.ch === undefined ? undefined : this.#runs.get(frame.ch);
    if (followed === undefined) return;
    const from = followed.replica.snapshot?.position?.seq ?? -1;
    if (frame.resume !== undefined) this.resumed += 1;
    if (frame.reset !== undefined && frame.reset.reason !== NOT_REACHED) {
      this.violations.push(`${this.name}: ${followed.key} was reset: ${frame.reset.reason}`);
    }
    const { updates, ask } = followed.replica.receive(frame);
    for (const update of updates) {
      if (update.kind === 'step')
        this.#show(followed, { entries: update.entries, after: update.snapshot, from });
      if (update.kind === 'snapshot') {
        if (update.reason !== null) this.#forget(followed, update.snapshot);
        this.#startOver(followed, update.snapshot);
      }
      this.#noteState(followed);
    }
    if (ask) this.#ask(socket, frame.ch!);
  }

  /** Notes the states at positions that every viewer and gateway picks alike, because a digest takes its time. */
  #noteState({ key, replica }: Followed): void {
    const run = replica.snapshot;
    if ((run?.position?.seq ?? -1) % STATE_EVERY_SEQ === 0)
      noteState(this.#note, { by: this.name, key, run });
  }

  /** Handles the only legitimate step back: the gateway says that it has not reached the client's position. */
  #forget(followed: Followed, snapshot: DeliveredSnapshot): void {
    this.resets += 1;
    followed.shown = snapshot.position?.seq ?? -1;
    this.#note({ kind: 'restarted', by: this.name, key: followed.key, seq: followed.shown });
    followed.numbers.clear();
    followed.unordered.clear();
    followed.isKnown = false;
  }

  /** Handles a whole snapshot: entries of its event log that are newer than those shown are new. */
  #startOver(followed: Followed, snapshot: DeliveredSnapshot): void {
    const seq = snapshot.position?.seq ?? -1;
    if (seq < followed.shown) {
      this.violations.push(`${this.name}: ${followed.key} went back from ${followed.shown} to ${seq}`);
    }
    const entries = snapshot.event_log.filter((entry) => entry.seq > followed.shown);
    this.#show(followed, { entries, after: snapshot, from: followed.shown });
  }

  #show(
    followed: Followed,
    step: { entries: readonly DeliveredEntry[]; after: DeliveredSnapshot; from: number },
  ): void {
    const { key, numbers } = followed;
    const evicted = step.after.evicted_seq ?? -1;
    const isWhole = step.from >= evicted;
    if (!isWhole) {
      this.#note({ kind: 'skipped', by: this.name, key, after: followed.shown, before: evicted + 1 });
    }
    for (const { seq, metadata } of step.entries) {
      if (seq <= followed.shown) {
        this.violations.push(`${this.name}: ${key} shows ${seq} after ${followed.shown}`);
      }
      followed.shown = seq;
      this.entries += 1;
      const eventId = String(metadata.event_id);
      const epoch = step.after.position?.epoch ?? '';
      this.#note({ kind: 'shown', by: this.name, key, epoch, seq, id: eventId });
      const id = parseEventId(eventId);
      if (id === null) continue;
      if (this.#unordered.has(id.emitter)) {
        const shown = followed.unordered.get(id.emitter) ?? new Set<number>();
        if (shown.has(id.n)) {
          this.violations.push(`${this.name}: ${key} at ${seq} shows event ${id.n} of ${id.emitter} again`);
        }
        followed.unordered.set(id.emitter, shown.add(id.n));
        continue;
      }
      const held = numbers.get(id.emitter) ?? (followed.isKnown ? 0 : id.n - 1);
      if (id.n <= held || (isWhole && id.n !== held + 1)) {
        this.violations.push(
          `${this.name}: ${key} at ${seq} shows event ${id.n} of ${id.emitter} after ${held}`,
        );
      }
      numbers.set(id.emitter, id.n);
    }
  }
}

/**
 * The reset reason of a gateway that stays behind the client's position for longer than it makes the client wait. No
 * other reason is legitimate here.
 */
const NOT_REACHED = 'this position has not been reached here';
