/**
 * Many subscribers in a process of their own. They count what they get: frames with entries, entries, bytes, and how
 * old each entry was by its `occurred_at`. A frame is parsed once, however many of them get the same bytes.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { STREAM_PATH, STREAM_SUBPROTOCOL } from '@runlog/schema/stream/subprotocol';
import { answerRequests } from './talking-child.ts';
import { WsFrames } from './ws-frames.ts';

export interface Subscribers {
  readonly host: string;
  readonly count: number;
  /** The runs of the server, of which each subscriber gets the next `each`. */
  readonly runs: number;
  readonly each: number;
}

export interface Counted {
  readonly frames: number;
  readonly entries: number;
  readonly snapshots: number;
  /** Of everything that came, with the framing. */
  readonly bytes: number;
}

interface Client {
  readonly socket: Socket;
  readonly channels: readonly string[];
}

/** What one message holds. */
interface Content {
  readonly bytes: Buffer;
  readonly frames: number;
  readonly snapshots: number;
  readonly occurredAtMs: readonly number[];
}

/** Ages of entries in tenths of a millisecond. The last cell holds all that are older. */
const AGE_CELLS = 200_000;
const KNOWN_MAX = 64;
/** Without a payload. */
const pong = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);
const CONNECTING_MAX = 100;

const parties = new Map<string, Client[]>();
const counts = { frames: 0, entries: 0, snapshots: 0, bytes: 0 };
const ages = new Uint32Array(AGE_CELLS);

const skills = {
  async connect({ host, count, runs, each }: Subscribers) {
    const clients = parties.get(host) ?? [];
    parties.set(host, clients);
    const known = Array.from({ length: runs }, () => new Map<number, Content>());
    for (let made = 0; made < count; ) {
      const some = Math.min(CONNECTING_MAX, count - made);
      const opened = Array.from({ length: some }, (_, at) => {
        const first = ((made + at) * each) % runs;
        const channels = Array.from(
          { length: each },
          (_, next) => `run:local/run-${(first + next) % runs}/default`,
        );
        return open({ host, channels, known: known[first]! });
      });
      clients.push(...(await Promise.all(opened)));
      made += some;
    }
  },
  /** All of them, or those who came after the first `from`. */
  subscribe({ host, from = 0 }: { host: string; from?: number }) {
    for (const { socket, channels } of parties.get(host)!.slice(from)) {
      socket.write(masked(JSON.stringify({ id: 1, sub: channels.map((ch) => ({ ch })) })));
    }
  },
  unsubscribe({ host }: { host: string }) {
    for (const { socket, channels } of parties.get(host)!) {
      socket.write(masked(JSON.stringify({ id: 2, unsub: channels })));
    }
  },
  async leave({ host }: { host: string }) {
    const clients = parties.get(host)!;
    parties.delete(host);
    for (const { socket } of clients) socket.destroy();
    await delay(100);
  },
  /** Resolves to the counts since the last call, once what is given of them has come. */
  async counted(awaited: Partial<Counted>): Promise<Counted> {
    const has = () =>
      Object.entries(awaited).every(([name, least]) => counts[name as keyof Counted] >= least);
    for (let tries = 0; !has(); tries += 1) {
      if (tries === 3_000)
        throw new Error(`awaited ${JSON.stringify(awaited)}, got ${JSON.stringify(counts)}`);
      await delay(10);
    }
    const told = { ...counts };
    Object.assign(counts, { frames: 0, entries: 0, snapshots: 0, bytes: 0 });
    return told;
  },
  /** Returns the ages of the entries since the last call that these shares of them do not exceed, in milliseconds. */
  agesMs({ shares }: { shares: readonly number[] }): number[] {
    const total = ages.reduce((sum, cell) => sum + cell, 0);
    const found = shares.map((share) => {
      let left = Math.ceil(share * total);
      return (
        ages.findIndex((cell) => {
          left -= cell;
          return left <= 0;
        }) / 10
      );
    });
    ages.fill(0);
    return found;
  },
};
export type LoadSkills = typeof skills;

answerRequests(skills);

function open(at: { host: string; channels: string[]; known: Map<number, Content> }): Promise<Client> {
  const [hostname, port] = at.host.split(':');
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname!, port: Number(port) });
    const frames = new WsFrames({
      text: (payload) => count(payload, at.known),
      ping: () => socket.write(pong),
    });
    const head = [
      `GET ${STREAM_PATH} HTTP/1.1`,
      `Host: ${at.host}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      `Sec-WebSocket-Protocol: ${STREAM_SUBPROTOCOL}`,
    ];
    socket.setNoDelay(true);
    socket.on('error', reject);
    socket.on('close', () => {
      if (parties.has(at.host)) throw new Error('a server closed a connection');
    });
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    socket.once('data', (first) => {
      const end = first.indexOf('\r\n\r\n');
      if (!first.toString('latin1').startsWith('HTTP/1.1 101') || end === -1) {
        reject(new Error(first.toString()));
        return;
      }
      frames.push(first.subarray(end + 4));
      socket.on('data', (chunk) => {
        counts.bytes += chunk.length;
        frames.push(chunk);
      });
      resolve({ socket, channels: at.channels });
    });
  });
}

function count(payload: Buffer, known: Map<number, Content>): void {
  let content = known.get(payload.length);
  if (content === undefined || !content.bytes.equals(payload)) {
    content = contentOf(payload);
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(payload.length, content);
  }
  const { frames, snapshots, occurredAtMs } = content;
  counts.frames += frames;
  counts.snapshots += snapshots;
  counts.entries += occurredAtMs.length;
  const nowMs = performance.timeOrigin + performance.now();
  for (const atMs of occurredAtMs) {
    const cell = Math.min(AGE_CELLS - 1, Math.max(0, Math.ceil((nowMs - atMs) * 10)));
    ages[cell] = ages[cell]! + 1;
  }
}

function contentOf(payload: Buffer): Content {
  let frames = 0;
  let snapshots = 0;
  const occurredAtMs: number[] = [];
  for (const line of payload.toString('utf8').split('\n')) {
    const frame = JSON.parse(line) as { entries?: { occurred_at?: string }[]; snapshot?: unknown };
    if (frame.snapshot !== undefined) snapshots += 1;
    if (frame.entries === undefined || frame.entries.length === 0) continue;
    frames += 1;
    for (const entry of frame.entries) occurredAtMs.push(Date.parse(entry.occurred_at ?? ''));
  }
  return { bytes: Buffer.from(payload), frames, snapshots, occurredAtMs };
}

/** A client's text frame, whose mask is zero. */
function masked(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = payload.length < 126 ? Buffer.alloc(6) : Buffer.alloc(8);
  head[0] = 0x81;
  head[1] = 0x80 | Math.min(payload.length, 126);
  if (payload.length >= 126) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}
