import type { RunUpdate } from '@runlog/client/run-update';
import { StreamStoppedError } from '@runlog/client/stream-errors';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deliveredEntry, deliveredSnapshot } from '../../../../test/support/entry-factory.ts';
import { type MadeUpConnection, madeUpConnection } from '../made-up/made-up-connection.ts';
import { type FollowedRun, followRun } from '../run/followed-run.ts';
import type { Answer, AskOptions } from '../shell/ask.ts';
import { type RouteWindow, startRoute } from '../shell/route.ts';
import { SEARCHED_EVENTS } from './gap-search.ts';
import { createLogStore, type LogStore } from './log-store.ts';

const KEY = 'c1/r1/default';
const LAST = 40;
/** Each is of a second of its own. */
const entryOf = (seq: number) => {
  const occurred_at = new Date(Date.UTC(2026, 10, 27, 7, 0, seq)).toISOString();
  return deliveredEntry({ seq, event_type: 'SEED_PRUNED', env_id: seq % 2, occurred_at });
};

let connection: MadeUpConnection;
let run: FollowedRun;
let log: LogStore;
let stopRoute: () => void;
/** The newest event of the history. */
let newest: number;

beforeEach(() => {
  vi.useFakeTimers();
  newest = LAST;
  connection = madeUpConnection();
  connection.answer(history);
});
afterEach(() => {
  log[Symbol.dispose]();
  run[Symbol.dispose]();
  stopRoute();
  vi.useRealTimers();
});

/** The history of a run of 40 events or more, of which every other one is of environment 1. */
function history(path: string, { query = {} }: AskOptions): Answer<EventsPage> {
  if (!path.endsWith('/events')) return { kind: 'away' };
  const { before = newest + 1, after = 0, limit = LAST, env } = query;
  const wanted = Array.from({ length: newest }, (_, at) => entryOf(at + 1)).filter(
    ({ seq, env_id }) =>
      seq < Number(before) &&
      seq > Number(after) &&
      (env === undefined || [env].flat().includes(env_id ?? -1)),
  );
  const events = query.after === undefined ? wanted.slice(-Number(limit)) : wanted.slice(0, Number(limit));
  return {
    kind: 'ok',
    body: {
      events: events.map((entry) => ({
        ...{ seq: entry.seq, received_at: null, entry, event: eventOf(entry), duplicate: false },
      })),
      ...{ next: null, position: { epoch: 'e1', seq: newest }, oldest: 1 },
    },
  };
}

/** Its emitter has left the numbers 21 to 30 out. */
const eventOf = ({ seq, occurred_at, metadata }: EventLogEntry) => ({
  ...{ emitter_id: 'e', emitter_seq: seq <= 20 ? seq : seq + 10 },
  ...{ event_id: metadata.event_id, timestamp: occurred_at },
});
const emitters = { e: { last: LAST + 10, gaps: [[21, 30]] as [number, number][], seen: LAST } };

/** What a stream begins with: the run's state, and the newest entries that its filter lets through. */
function beginning(seqs: readonly number[]): RunUpdate {
  const entries = seqs.map(entryOf);
  const position = { epoch: 'e1', seq: LAST };
  const snapshot = deliveredSnapshot({ position, event_log: entries, emitters, total_events_received: LAST });
  return { kind: 'snapshot', snapshot, entries, position, startsOver: true, reason: null, filtered: null };
}

/** Opens the page at an address, with the newest events of the run at hand. */
async function opened(hash: string): Promise<void> {
  const window: RouteWindow = {
    location: { hash, search: '' },
    history: { pushState: () => undefined, replaceState: () => undefined },
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  };
  stopRoute = startRoute(window);
  const frames = {
    nextFrame(callback: () => void) {
      callback();
      return () => undefined;
    },
  };
  vi.stubGlobal('requestAnimationFrame', (callback: () => void) => setTimeout(callback));
  vi.stubGlobal('cancelAnimationFrame', clearTimeout);
  run = followRun(KEY, { connection, frames });
  connection.runs[0]!.send(beginning([LAST - 1, LAST]));
  await settled();
  log = createLogStore({ run, connection });
  await settled();
}

/** Lets everything happen that needs no time. */
const settled = () => vi.advanceTimersByTimeAsync(0);
const environments = () =>
  new Set(Array.from({ length: log.counts.value.shown }, (_, at) => log.entryAt(at)!.env_id));
/** The ids of the rows around each gap. */
const aroundGaps = () => {
  const ids = log.rows.value.map(({ id }) => id).filter((id) => !id.startsWith('d'));
  return ids.flatMap((id, at) => (id.startsWith('gap-') ? [ids.slice(at - 1, at + 2)] : []));
};
const topEdge = () => {
  const [row] = log.rows.value;
  return row?.kind === 'edge' ? row.state : null;
};

describe('the log of a run', () => {
  it('asks again for a page that could not be had while the gateway was away', async () => {
    connection.answer(() => ({ kind: 'away' }));
    await opened(`#${KEY}`);
    expect(topEdge()).toBe('failed');
    connection.answer(history);
    connection.link.value = { state: 'waiting', retryAtMs: 0 };
    connection.link.value = { state: 'open' };
    await settled();
    expect(topEdge()).toBe('beginning');
    expect(log.counts.value.shown).toBe(LAST);
  });

  it('keeps the filter of its address where the selected event is a match', async () => {
    await opened(`#${KEY}?log=env:1&event=5`);
    connection.runs[1]!.send(beginning([LAST - 1]));
    await vi.advanceTimersToNextTimerAsync();
    expect(log.entryOf(5)).not.toBeNull();
    expect(log.around.value).toBeNull();
    expect(log.state.value.target).toBe(5);
    expect(environments()).toEqual(new Set([1]));
  });

  it('shows what is around a selected event that its filter leaves out', async () => {
    await opened(`#${KEY}?log=env:1&event=6`);
    expect(log.around.value).toBe(6);
    expect(environments()).toEqual(new Set([0, 1]));
  });

  it('ends without a fault of its own when the stream of its filter is refused for good', async () => {
    const faults: unknown[] = [];
    const note = (fault: unknown) => faults.push(fault);
    process.on('unhandledRejection', note);
    await opened(`#${KEY}?log=env:1`);
    connection.runs[1]!.fail(new StreamStoppedError({ code: 4401, reason: 'this key was revoked' }));
    await settled();
    vi.useRealTimers();
    // Node tells of it once nothing else is due.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(connection.runs[1]!.isEnded).toBe(true);
    expect(faults).toEqual([]);
  });

  it('knows a type that came after its filter was typed, and keeps its rows where that changes nothing', async () => {
    await opened(`#${KEY}?log=type:my_own`);
    expect(log.filter.value.types).toEqual([]);
    const snapshot = deliveredSnapshot({ position: { epoch: 'e1', seq: LAST + 1 } });
    const step = (counts: Record<string, number>): RunUpdate => ({
      ...{ kind: 'step', snapshot: { ...snapshot, counts }, entries: [], filtered: null },
      position: snapshot.position,
    });
    connection.runs[0]!.send(step({ MY_OWN: 1 }));
    await settled();
    expect(log.filter.value.types).toEqual(['MY_OWN']);
    const followed = connection.runs.length;
    connection.runs[0]!.send(step({ MY_OWN: 1, ANOTHER: 1 }));
    await settled();
    expect(connection.runs).toHaveLength(followed);
  });

  it('says at its end how many events it waits for while they cannot be read, and no more once they are there', async () => {
    await opened(`#${KEY}`);
    const ahead = (seq: number, entries: readonly number[], handed: number): RunUpdate => {
      const position = { epoch: 'e1', seq };
      const snapshot = deliveredSnapshot({ position, total_events_received: seq });
      return {
        kind: 'step',
        snapshot,
        entries: entries.map(entryOf),
        position: { ...position, seq: handed },
        filtered: null,
      };
    };
    const last = () => log.rows.value.at(-1);
    connection.runs[0]!.send(ahead(LAST + 3_000, [], LAST));
    await settled();
    expect(last()).toMatchObject({ kind: 'event' });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(last()).toMatchObject({ kind: 'edge', at: 'bottom', state: 'catching_up' });
    expect(log.catchingUp.value).toEqual({ events: 3_000 });
    connection.runs[0]!.send(ahead(LAST + 3_001, [LAST + 1], LAST + 1));
    await settled();
    expect(log.catchingUp.value).toEqual({ events: 3_000 });
    connection.runs[0]!.send(ahead(LAST + 3_001, [LAST + 3_001], LAST + 3_001));
    await settled();
    expect(log.catchingUp.value).toBeNull();
    expect(last()).toMatchObject({ kind: 'event', seq: LAST + 3_001 });
  });

  it('has the rows of its gaps where a filter leaves out the event behind them', async () => {
    await opened(`#${KEY}?log=env:0`);
    connection.runs[1]!.send(beginning([LAST]));
    await vi.waitFor(() => expect(aroundGaps()).toEqual([['e20', 'gap-e-21', 'e22']]));
  });

  it('looks for the places of gaps once while the history cannot be read, and again when it can', async () => {
    connection.answer(() => ({ kind: 'away' }));
    await opened(`#${KEY}?log=env:0`);
    connection.runs[1]!.send(beginning([LAST]));
    const searches = () => connection.asked.filter(({ options }) => options.query?.limit === SEARCHED_EVENTS);
    await vi.waitFor(() => expect(searches()).toHaveLength(1));
    connection.answer(history);
    connection.link.value = { state: 'waiting', retryAtMs: 0 };
    connection.link.value = { state: 'open' };
    await vi.waitFor(() => expect(aroundGaps()).toEqual([['e20', 'gap-e-21', 'e22']]));
  });
});

describe('the log of the past', () => {
  const stateAt = (seq: number) =>
    deliveredSnapshot({ position: { epoch: 'e1', seq }, emitters: seq > 20 ? emitters : {} });

  it('has the rows of the gaps that lay in it, and none that opened later', async () => {
    await opened(`#${KEY}`);
    log.showAsOf(30);
    await settled();
    log.notePast(stateAt(30));
    expect(aroundGaps()).toEqual([['e20', 'gap-e-21', 'e21']]);
    log.showAsOf(15);
    log.notePast(stateAt(15));
    await settled();
    expect(log.counts.value.shown).toBe(15);
    expect(aroundGaps()).toEqual([]);
  });

  it('keeps them when its filter changes, and live has its own', async () => {
    await opened(`#${KEY}`);
    log.showAsOf(30);
    log.notePast(stateAt(30));
    log.setFilter('env:0');
    await vi.waitFor(() => expect(aroundGaps()).toEqual([['e20', 'gap-e-21', 'e22']]));
    log.setFilter('');
    log.showLive();
    await vi.waitFor(() => expect(aroundGaps()).toEqual([['e20', 'gap-e-21', 'e21']]));
  });
});

describe('a log that begins anew', () => {
  /** Has the reader look at an event: it is in the middle of the rows in view. */
  const read = (seq: number) => {
    const at = log.rowOf(seq);
    log.view({ first: at - 2, last: at + 2, isAtEnd: false });
  };
  const again = () => connection.runs[0]!.send(beginning([LAST - 1, LAST]));

  it('keeps whoever reads above at the same event, with what came meanwhile behind it', async () => {
    await opened(`#${KEY}`);
    read(12);
    const rows = log.rows.value;
    again();
    const position = { epoch: 'e1', seq: LAST + 1 };
    const snapshot = deliveredSnapshot({ position, total_events_received: LAST + 1 });
    connection.runs[0]!.send({
      kind: 'step',
      snapshot,
      entries: [entryOf(LAST + 1)],
      position,
      filtered: null,
    });
    await settled();
    expect(log.rows.value).toBe(rows);
    await vi.waitFor(() => expect(log.begunAnew.value).toBe('same'));
    expect(log.state.value).toMatchObject({ isFollowing: false, target: 12, newCount: 0 });
    expect(log.entryOf(12)).not.toBeNull();
    log.follow();
    await settled();
    expect(log.rows.value.at(-1)).toMatchObject({ seq: LAST + 1 });
    expect(log.begunAnew.value).toBeNull();
  });

  it('keeps them near an event that is gone', async () => {
    await opened(`#${KEY}`);
    read(12);
    connection.answer((path, options) => without(12, history(path, options)));
    again();
    await vi.waitFor(() => expect(log.begunAnew.value).toBe('nearest'));
    expect(log.state.value).toMatchObject({ isFollowing: false, target: 13 });
  });

  it('shows its end, and says so, where its history cannot be read', async () => {
    await opened(`#${KEY}`);
    log.pause();
    read(12);
    connection.answer(() => ({ kind: 'away' }));
    again();
    await vi.waitFor(() => expect(log.begunAnew.value).toBe('end'));
    expect(log.state.value).toMatchObject({ isPaused: true, target: LAST });
  });

  it('goes on at its end for whoever follows it', async () => {
    await opened(`#${KEY}`);
    again();
    await settled();
    expect(log.begunAnew.value).toBeNull();
    expect(log.state.value).toMatchObject({ isFollowing: true, target: null });
  });
});

/** A page as it would be without an event. */
function without(seq: number, answer: Answer<EventsPage>): Answer<EventsPage> {
  if (answer.kind !== 'ok') return answer;
  return {
    ...answer,
    body: { ...answer.body, events: answer.body.events.filter((event) => event.seq !== seq) },
  };
}

describe('whoever pauses', () => {
  /** So many events come. */
  async function come(events: number): Promise<void> {
    const entries = Array.from({ length: events }, (_, at) => entryOf(newest + 1 + at));
    newest += events;
    const position = { epoch: 'e1', seq: newest };
    const snapshot = deliveredSnapshot({ position, emitters, total_events_received: newest });
    connection.runs[0]!.send({ kind: 'step', snapshot, entries, position, filtered: null });
    await settled();
  }
  const lastRow = () => log.rows.value.at(-1);

  it('keeps the rows, is told how many came, and follows the newest afterwards', async () => {
    await opened(`#${KEY}`);
    log.pause();
    const rows = log.rows.value;
    await come(30);
    expect(log.rows.value).toEqual(rows);
    expect(log.state.value).toMatchObject({ isPaused: true, isFollowing: false, newCount: 30 });
    log.follow();
    expect(log.state.value).toMatchObject({ isPaused: false, isFollowing: true, newCount: 0 });
    expect(lastRow()).toMatchObject({ seq: LAST + 30 });
    await come(1);
    expect(lastRow()).toMatchObject({ seq: LAST + 31 });
  });

  it('has room for 20,000 events, is told that rows are missing beyond that, and reads them on from there', async () => {
    await opened(`#${KEY}`);
    log.pause();
    for (let times = 0; times < 3; times += 1) await come(6_500);
    expect(log.state.value).toMatchObject({ isAttached: true, newCount: 19_500 });
    expect(lastRow()).toMatchObject({ kind: 'event', seq: LAST });
    for (let times = 0; times < 2; times += 1) await come(500);
    expect(log.state.value).toMatchObject({ isAttached: false, newCount: 20_500 });
    expect(lastRow()).toMatchObject({ kind: 'edge', at: 'bottom', state: 'more' });
    const { length } = log.rows.value;
    log.view({ first: length - 5, last: length - 1, isAtEnd: true });
    await settled();
    expect(log.entryOf(LAST + 1)).not.toBeNull();
    log.follow();
    await settled();
    expect(lastRow()).toMatchObject({ seq: newest });
    expect(log.counts.value.shown).toBeLessThanOrEqual(20_000);
  });

  it('stays so when the filter changes, and sees what it lets through', async () => {
    await opened(`#${KEY}`);
    log.pause();
    log.setFilter('env:1');
    connection.runs[1]!.send(beginning([LAST - 1]));
    await vi.advanceTimersByTimeAsync(50);
    expect(environments()).toEqual(new Set([1]));
    expect(log.state.value).toMatchObject({ isPaused: true, isFollowing: false });
    log.setFilter('');
    await settled();
    expect(environments()).toEqual(new Set([0, 1]));
    expect(log.state.value).toMatchObject({ isPaused: true, isFollowing: false });
  });
});
