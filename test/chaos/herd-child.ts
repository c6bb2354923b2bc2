/**
 * Many clients of the library in a process of its own. Each follows one run from its beginning and counts what it is handed
 * over. The task comes in argv, questions come over the IPC channel, and the process ends with the channel.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createStreamClient } from '@runlog/client/stream-client';
import { WebSocket } from 'ws';
import { FollowedEntries } from '../support/followed-entries.ts';

export interface HerdTask {
  /** The address of the stream. */
  readonly url: string;
  /** The keys of the runs, which the clients share evenly. */
  readonly runs: readonly string[];
  readonly clients: number;
}

export type HerdQuestion =
  | { readonly ask: 'progress' }
  /** Waits until every client holds exactly these entries of its run, by key, or the time is over. */
  | {
      readonly ask: 'judge';
      readonly due: Readonly<Record<string, readonly number[]>>;
      readonly withinMs: number;
    };

export interface HerdProgress {
  readonly open: number;
  /** The clients that have got the state of their run. */
  readonly begun: number;
  readonly entries: number;
  /** When each connection was opened, in milliseconds since the epoch. */
  readonly openedAtMs: readonly number[];
}

export interface HerdVerdict {
  readonly whole: number;
  /** What is wrong with others; the first few. */
  readonly wrong: readonly string[];
}

const WRONG_LISTED_MAX = 10;
const POLL_MS = 100;

const task = JSON.parse(process.argv[2]!) as HerdTask;
const openedAtMs: number[] = [];
const herd = Array.from({ length: task.clients }, (_, at) => {
  const run = task.runs[at % task.runs.length]!;
  const followed = new FollowedEntries(`client ${at} of ${run}`);
  const member = { run, followed, isOpen: false };
  const client = createStreamClient({
    url: task.url,
    webSocket: WebSocket,
    random: Math.random,
    onStatus: ({ state }) => {
      member.isOpen = state === 'open';
      if (member.isOpen) openedAtMs.push(Date.now());
    },
  });
  client.subscribeRun(run, followed.take, { from: 'beginning' });
  return member;
});

function progress(): HerdProgress {
  return {
    open: herd.filter(({ isOpen }) => isOpen).length,
    begun: herd.filter(({ followed }) => followed.snapshot !== null).length,
    entries: herd.reduce((sum, { followed }) => sum + followed.seqs.length, 0),
    openedAtMs,
  };
}

async function judge(
  due: Readonly<Record<string, readonly number[]>>,
  withinMs: number,
): Promise<HerdVerdict> {
  const faultOf = ({ run, followed }: (typeof herd)[number]): string | null => {
    const wanted = due[run] ?? [];
    const { seqs } = followed;
    const [fault] = followed.faults(0);
    if (fault !== undefined) return fault;
    const at = wanted.findIndex((seq, index) => seqs[index] !== seq);
    if (at === -1 && seqs.length === wanted.length) return null;
    return `a client of ${run} has ${seqs.length} entries of ${wanted.length}; at ${at} it has ${seqs[at]}, not ${wanted[at]}`;
  };
  const endsMs = performance.now() + withinMs;
  for (;;) {
    const wrong = herd.map(faultOf).filter((fault) => fault !== null);
    if (wrong.length === 0 || performance.now() > endsMs) {
      return { whole: herd.length - wrong.length, wrong: wrong.slice(0, WRONG_LISTED_MAX) };
    }
    await delay(POLL_MS);
  }
}

process.on('message', (question: HerdQuestion) => {
  if (question.ask === 'progress') process.send!(progress());
  else void judge(question.due, question.withinMs).then((verdict) => process.send!(verdict));
});
process.on('disconnect', () => process.exit(0));
