/** Subscribers of index views in a process of their own. One of each view reads its frames; the others count bytes. */
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { ServerFrameFields } from '@runlog/schema/stream/server-frames';
import { STREAM_PATH, STREAM_SUBPROTOCOL } from '@runlog/schema/stream/subprotocol';
import type { IndexSubscription } from '@runlog/schema/stream/subscriptions';
import WebSocket from 'ws';
import { percentile } from './rounds.ts';
import { answerRequests } from './talking-child.ts';

const sockets: WebSocket[] = [];
const seqs = new Map<string, number>();
let agesMs: number[] = [];
let counts = { rows: 0, bytes: 0, answers: 0, errors: 0 };

const skills = {
  async connect({ host, count, path = STREAM_PATH }: { host: string; count: number; path?: string }) {
    for (let made = 0; made < count; made += 1) {
      const socket = new WebSocket(`ws://${host}${path}`, STREAM_SUBPROTOCOL);
      socket.on('message', (data: Buffer) => {
        counts.bytes += data.length;
      });
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      sockets.push(socket);
    }
    return sockets.length;
  },
  /** Subscribes the connections from one on to the same view. The first of them reads, if it is asked to. */
  async subscribe(of: { from: number; count: number; asked: IndexSubscription; isRead?: boolean }) {
    const answered = sockets
      .slice(of.from, of.from + of.count)
      .map((socket, at) => firstAnswer(socket, { id: 1, sub: [of.asked] }, of.isRead === true && at === 0));
    const startMs = performance.now();
    await Promise.all(answered);
    return performance.now() - startMs;
  },
  /** Sends one frame that asks for many views. */
  async askForMany({ from, views }: { from: number; views: number }) {
    const sub = Array.from({ length: views }, (_, at) => ({ ch: `runs:*${from}${at}*a*u*e*l*` }));
    await firstAnswer(sockets[from]!, { id: 2, sub }, false);
  },
  counted() {
    const told = counts;
    counts = { rows: 0, bytes: 0, answers: 0, errors: 0 };
    return told;
  },
  /** How old changed rows of the views that are read were when they came. */
  ages() {
    const sorted = agesMs.sort((a, b) => a - b);
    agesMs = [];
    return {
      ...{ p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) },
      ...{ most: sorted.at(-1) ?? Number.NaN, rows: sorted.length },
    };
  },
  seqs: () => Object.fromEntries(seqs),
};
export type IndexLoadSkills = typeof skills;

answerRequests(skills);

function firstAnswer(socket: WebSocket, frame: object, isRead: boolean): Promise<void> {
  return new Promise((resolve) => {
    socket.on('message', (data: Buffer) => {
      if (isRead) for (const line of data.toString('utf8').split('\n')) read(JSON.parse(line));
      // The greeting comes first.
      if (data.includes('"id":')) resolve();
    });
    socket.send(JSON.stringify(frame));
  });
}

function read({ id, rows }: ServerFrameFields): void {
  const nowMs = Date.now();
  for (const row of rows ?? []) {
    const key = formatRunKey(row);
    const isChanged = seqs.has(key) && seqs.get(key) !== row.seq;
    seqs.set(key, row.seq);
    if (id !== undefined || !isChanged) continue;
    counts.rows += 1;
    agesMs.push(nowMs - Date.parse(row.last_received_at));
  }
}
