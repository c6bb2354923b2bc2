import type { EventsPage, StoredEvent } from '@runlog/schema/http/gateway-api';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entryOf } from '../../../../test/support/entry-factory.ts';
import { LogRows } from './log-rows.ts';
import { LogWindow, type PageRequest, type WindowSizes } from './log-window.ts';

/** Small, so that little is needed to reach every bound: 9 entries beside the rows, and at most 21 in them. */
const sizes: WindowSizes = { entriesMax: 40, heldKept: 4, pageEvents: 5, trimPiece: 3, rowsAhead: 3 };

function entry(seq: number): EventLogEntry {
  const occurred_at = new Date(1_767_484_787_000 + seq * 400).toISOString();
  const event_type = seq % 3 === 0 ? 'EPOCH_COMPLETED' : 'SEED_PRUNED';
  return entryOf({ seq, event_type, message: event_type, occurred_at });
}

/** A gateway with the history of one run. Every seventh record makes no entry. */
class History {
  readonly #first: number;
  #last: number;

  constructor({ first = 0, last }: { first?: number; last: number }) {
    this.#first = first;
    this.#last = last;
  }

  get last(): number {
    return this.#last;
  }

  /** Events arrive; returns the entries that are streamed. */
  grow(events: number): EventLogEntry[] {
    const from = this.#last + 1;
    this.#last += events;
    return this.entries(from, this.#last);
  }

  entries(from: number, to: number): EventLogEntry[] {
    const entries: EventLogEntry[] = [];
    for (let seq = Math.max(from, this.#first); seq <= Math.min(to, this.#last); seq += 1) {
      if (seq % 7 !== 0) entries.push(entry(seq));
    }
    return entries;
  }

  answer({ before, after, limit }: PageRequest): EventsPage {
    const isOlder = after === undefined;
    const to = isOlder
      ? Math.min(before ?? this.#last + 1, this.#last + 1) - 1
      : Math.min(after + limit, this.#last);
    const from = isOlder ? Math.max(this.#first, to - limit + 1) : Math.max(this.#first, after + 1);
    const events: StoredEvent[] = [];
    for (let seq = from; seq <= to; seq += 1) {
      const made = seq % 7 === 0 ? null : entry(seq);
      events.push({ seq, received_at: null, entry: made, event: {}, duplicate: false });
    }
    const hasMore = isOlder ? from > this.#first : to < this.#last;
    return {
      events,
      next: hasMore ? (isOlder ? from : to) : null,
      position: { epoch: 't', seq: this.#last },
      oldest: this.#first,
    };
  }
}

/** A window that shows a run, its gateway, and the requests under way. */
class Shown {
  readonly log: LogWindow;
  readonly history: History;
  pending: PageRequest[] = [];

  constructor({ events = 100, recent = 10, first = 0, sizes: own = sizes } = {}) {
    this.log = new LogWindow(own);
    this.history = new History({ first, last: events - 1 });
    this.log.start({ entries: this.history.entries(events - recent, events - 1), firstSeq: 0 });
    this.collect();
  }

  collect(): void {
    this.pending.push(...this.log.takeRequests());
  }

  live(events: number): void {
    this.log.live(this.history.grow(events));
    this.collect();
  }

  answer(at = 0): void {
    const [request] = this.pending.splice(at, 1);
    if (request === undefined) return;
    this.log.page(request.id, this.history.answer(request));
    this.collect();
  }

  answerAll(): void {
    while (this.pending.length > 0) this.answer();
  }

  /** The view shows a few rows from a place on, 0 to 1, and the log's end if that is the last. */
  view(place: number): void {
    const rows = this.log.rows.rows.length;
    const first = Math.max(0, Math.floor((rows - 4) * place));
    this.log.view({ first, last: Math.min(rows - 1, first + 3), isAtEnd: place === 1 });
    this.collect();
  }

  get seqs(): number[] {
    return this.log.rows.rows
      .flatMap((row) => this.log.rows.entriesOf(row).map(({ seq }) => seq))
      .sort((a, b) => a - b);
  }

  edge(at: 'top' | 'bottom'): string | null {
    const row = this.log.rows.rows.find((each) => each.kind === 'edge' && each.at === at);
    return row?.kind === 'edge' ? row.state : null;
  }
}

describe('a log that follows', () => {
  it('asks for the newest page at once, so that its oldest second is whole', () => {
    const shown = new Shown();
    expect(shown.pending).toEqual([{ id: 1, kind: 'older', limit: 5 }]);
    expect(shown.edge('top')).toBe('loading');
    shown.answerAll();
    expect(shown.edge('top')).toBe('more');
  });

  it('shows every new entry and drops the oldest', () => {
    const shown = new Shown();
    shown.answerAll();
    for (let at = 0; at < 30; at += 1) shown.live(7);
    expect(shown.log).toMatchObject({ isFollowing: true, isAttached: true, newCount: 0 });
    expect(shown.seqs.at(-1)).toBe(shown.history.last);
    expect(shown.log.size).toBeLessThanOrEqual(21);
    expect(shown.edge('bottom')).toBeNull();
  });

  it('of a run without events waits for the first and asks for nothing', () => {
    const log = new LogWindow(sizes);
    log.start({ entries: [], firstSeq: null });
    expect([log.takeRequests(), log.rows.rows]).toEqual([[], []]);
    log.live([entry(1)]);
    expect(log.rows.rows.map(({ id }) => id)).toEqual(['edge-top', 'd1', 'e1']);
  });

  it('names the beginning of the run, or that what was before is gone', () => {
    const whole = new Shown({ events: 12 });
    whole.answerAll();
    whole.view(0);
    whole.answerAll();
    whole.view(0);
    whole.answerAll();
    expect(whole.edge('top')).toBe('beginning');
    const cut = new Shown({ events: 12, first: 4 });
    for (let at = 0; at < 3; at += 1) {
      cut.answerAll();
      cut.view(0);
    }
    expect(cut.edge('top')).toBe('gone');
    expect(cut.log.loaded).toEqual({ from: 4, to: 11 });
  });
});

describe('a log that is read', () => {
  it('keeps its rows while new entries come, counts them, and shows them at the end', () => {
    const shown = new Shown();
    shown.answerAll();
    shown.view(0.5);
    shown.answerAll();
    const { rows } = shown.log.rows;
    shown.live(5);
    expect(shown.log.rows.rows).toBe(rows);
    expect(shown.log).toMatchObject({ isFollowing: false, newCount: 5 });
    shown.view(1);
    expect(shown.log).toMatchObject({ isFollowing: true, newCount: 0 });
    expect(shown.seqs.at(-1)).toBe(shown.history.last);
  });

  it('stays where it is while it is paused, also at the end', () => {
    const shown = new Shown();
    shown.answerAll();
    shown.log.pause();
    shown.live(3);
    shown.view(1);
    expect(shown.log).toMatchObject({ isPaused: true, isFollowing: false, newCount: 3 });
    expect(shown.seqs.at(-1)).toBeLessThan(shown.history.last);
    shown.log.follow();
    expect(shown.log).toMatchObject({ isPaused: false, isFollowing: true, newCount: 0 });
    expect(shown.seqs.at(-1)).toBe(shown.history.last);
  });

  it('keeps the newest of what it has no room for, counts all, and reads on from where it is', () => {
    const shown = new Shown();
    shown.answerAll();
    shown.log.pause();
    const before = shown.seqs;
    for (let at = 0; at < 40; at += 1) shown.live(5);
    expect(shown.seqs).toEqual(before);
    expect(shown.log.size).toBeLessThanOrEqual(sizes.entriesMax);
    expect(shown.log.newCount).toBe(shown.history.entries(100, shown.history.last).length);
    expect(shown.log.isAttached).toBe(false);
    expect(shown.edge('bottom')).toBe('more');
    shown.view(1);
    expect(shown.pending.at(-1)).toMatchObject({ kind: 'newer', after: 99 });
    shown.answerAll();
    expect(shown.seqs).toEqual(shown.history.entries(before[0]!, shown.seqs.at(-1)!).map(({ seq }) => seq));
  });

  it('shows the newest at once when it goes back to the end, and fetches what is before them', () => {
    const shown = new Shown();
    shown.answerAll();
    shown.log.pause();
    for (let at = 0; at < 40; at += 1) shown.live(5);
    shown.log.follow();
    shown.collect();
    expect(shown.seqs.at(-1)).toBe(shown.history.last);
    expect(shown.log).toMatchObject({ isFollowing: true, isAttached: true });
    expect(shown.pending).toMatchObject([{ kind: 'older', before: shown.seqs[0]! }]);
    shown.answerAll();
    expect(shown.seqs).toEqual(
      shown.history.entries(shown.seqs[0]!, shown.history.last).map(({ seq }) => seq),
    );
  });

  it('scrolls back to the beginning of the run within its bounds, and forward to its end', () => {
    const shown = new Shown({ events: 300 });
    for (let at = 0; at < 200 && shown.edge('top') !== 'beginning'; at += 1) {
      shown.answerAll();
      shown.view(0);
      expect(shown.log.size).toBeLessThanOrEqual(sizes.entriesMax);
    }
    expect(shown.seqs[0]).toBe(1);
    expect(shown.log.isAttached).toBe(false);
    for (let at = 0; at < 200 && !shown.log.isFollowing; at += 1) {
      shown.view(1);
      shown.answerAll();
      expect(shown.log.size).toBeLessThanOrEqual(sizes.entriesMax);
    }
    expect(shown.seqs.at(-1)).toBe(299);
  });

  it('never drops what is in view', () => {
    const shown = new Shown({ events: 300 });
    shown.answerAll();
    for (let at = 0; at < 30; at += 1) {
      shown.view(0);
      const inView = shown.log.rows.rows.slice(0, 4).filter(({ kind }) => kind === 'event');
      shown.live(9);
      shown.answerAll();
      const ids = new Set(shown.log.rows.rows.map(({ id }) => id));
      for (const { id } of inView) expect(ids.has(id)).toBe(true);
    }
  });
});

describe('a place in the log', () => {
  it('that is loaded is shown without a request', () => {
    const shown = new Shown();
    shown.answerAll();
    shown.log.goTo(95);
    shown.collect();
    expect(shown.pending).toEqual([]);
    expect(shown.log).toMatchObject({ target: 95, isFollowing: false });
    shown.log.takeTarget();
    expect(shown.log.target).toBeNull();
  });

  it('that is not is fetched with what is around it, and the end is kept', () => {
    const shown = new Shown({ events: 300 });
    shown.answerAll();
    shown.log.goTo(50);
    shown.collect();
    expect(shown.pending).toMatchObject([
      { kind: 'older', before: 51 },
      { kind: 'newer', after: 50 },
    ]);
    shown.answer(1);
    shown.answer(0);
    expect(shown.seqs).toEqual(shown.history.entries(46, 55).map(({ seq }) => seq));
    expect(shown.log).toMatchObject({ isAttached: false, isFollowing: false, target: 50 });
    expect([shown.edge('top'), shown.edge('bottom')]).toEqual(['more', 'more']);
    shown.log.follow();
    expect(shown.seqs.at(-1)).toBe(299);
  });

  it('is not left when the view reports its former end', () => {
    const shown = new Shown();
    shown.answerAll();
    shown.log.goTo(93);
    shown.view(1);
    expect(shown.log.isFollowing).toBe(false);
  });

  it('may be the beginning', () => {
    const shown = new Shown({ events: 300 });
    shown.log.goToBeginning();
    shown.collect();
    expect(shown.pending.at(-1)).toMatchObject({ kind: 'newer', after: -1 });
    shown.answerAll();
    expect(shown.seqs.slice(0, 3)).toEqual([1, 2, 3]);
    expect(shown.edge('top')).toBe('beginning');
  });

  it('is where the view goes also if all of it is loaded', () => {
    const shown = new Shown({ events: 300 });
    shown.answerAll();
    shown.log.goToBeginning();
    expect(shown.log.target).toBe(-1);
    expect(shown.log.isFollowing).toBe(false);
  });
});

describe('requests', () => {
  it('that fail are told, and made again only when that is asked for', () => {
    const shown = new Shown();
    shown.log.pageFailed(shown.pending.pop()!.id);
    expect(shown.edge('top')).toBe('failed');
    shown.view(0);
    expect(shown.pending).toEqual([]);
    shown.log.retry();
    shown.collect();
    expect(shown.pending).toMatchObject([{ kind: 'older' }]);
    expect(shown.edge('top')).toBe('loading');
  });

  it('are made once in each direction, and late answers are ignored', () => {
    const shown = new Shown();
    shown.view(0);
    shown.view(0);
    expect(shown.pending).toHaveLength(1);
    const [late] = shown.pending.splice(0);
    shown.log.start({ entries: [entry(200)], firstSeq: 200 });
    shown.log.page(late!.id, shown.history.answer(late!));
    expect(shown.seqs).toEqual([200]);
  });

  it('go on by themselves through pages without an entry, and stop to ask after many', () => {
    const log = new LogWindow(sizes);
    log.start({ entries: [entry(1_000)], firstSeq: 1 });
    let asked = 0;
    let before = 1_000;
    for (let requests = log.takeRequests(); requests.length > 0; requests = log.takeRequests()) {
      asked += 1;
      before -= 5;
      log.page(requests[0]!.id, {
        events: [],
        next: before,
        position: { epoch: 't', seq: 1_000 },
        oldest: 1,
      });
    }
    expect(asked).toBe(25);
    expect(log.rows.rows[0]).toMatchObject({ kind: 'edge', state: 'searching' });
    log.retry();
    expect(log.takeRequests()).toMatchObject([{ before }]);
  });

  it('fill a gap of the stream in its place, from its beginning on', () => {
    const log = new LogWindow();
    const history = new History({ last: 40 });
    log.start({ entries: history.entries(1, 10), firstSeq: 1 });
    log.takeRequests();
    log.live(history.entries(22, 40));
    log.fillGap({ after: 10, before: 22 });
    log.fillGap({ after: 10, before: 22 });
    const filled: (number | null)[] = [];
    for (let requests = log.takeRequests(); requests.length > 0; requests = log.takeRequests()) {
      filled.push(log.page(requests[0]!.id, history.answer({ ...requests[0]!, limit: 8 })));
    }
    expect(filled).toEqual([null, 10]);
    const rows = new LogRows();
    rows.add(history.entries(1, 40));
    const seqs = (of: LogRows) => of.rows.flatMap((row) => of.entriesOf(row).map(({ seq }) => seq));
    expect(seqs(log.rows)).toEqual(seqs(rows));
  });
});

it('repeats of the history are left out', () => {
  const log = new LogWindow(sizes);
  log.start({ entries: [entry(9)], firstSeq: 1 });
  const [request] = log.takeRequests();
  const stored = (seq: number, event_id: string, duplicate: boolean | null): StoredEvent => ({
    ...{ seq, received_at: null, event: {}, duplicate },
    entry: { ...entry(seq), metadata: { event_id } },
  });
  const events = [stored(2, 'a', null), stored(4, 'a', null), stored(5, 'b', true), stored(8, 'c', false)];
  log.page(request!.id, { events, next: null, position: { epoch: 't', seq: 9 }, oldest: 1 });
  const seqs = log.rows.rows.flatMap((row) => log.rows.entriesOf(row).map(({ seq }) => seq));
  expect(seqs).toEqual([2, 8, 9]);
});

it('whatever is done, what is loaded is whole, in order and bounded, and the end is reached from everywhere', () => {
  const act = fc.oneof(
    fc.record({ does: fc.constant('live' as const), events: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ does: fc.constant('view' as const), place: fc.constantFrom(0, 0, 0.3, 0.7, 1, 1) }),
    fc.record({ does: fc.constant('goTo' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({ does: fc.constant('answer' as const), at: fc.nat({ max: 2 }) }),
    fc.record({
      does: fc.constantFrom(
        'pause' as const,
        'follow' as const,
        'beginning' as const,
        'answerAll' as const,
        'seen' as const,
      ),
    }),
    fc.record({ does: fc.constantFrom('fail' as const, 'retry' as const, 'answerAll' as const) }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.array(act, { maxLength: 80 }), (events, acts) => {
      const shown = new Shown({ events, recent: Math.min(events, 10) });
      const { log, history } = shown;
      for (const step of acts) {
        if (step.does === 'live') shown.live(step.events);
        else if (step.does === 'view') shown.view(step.place);
        else if (step.does === 'goTo') log.goTo(Math.floor(history.last * step.share));
        else if (step.does === 'answer') shown.answer(Math.min(step.at, shown.pending.length - 1));
        else if (step.does === 'answerAll') shown.answerAll();
        else if (step.does === 'pause') log.pause();
        else if (step.does === 'follow') log.follow();
        else if (step.does === 'beginning') log.goToBeginning();
        else if (step.does === 'seen') log.takeTarget();
        else if (step.does === 'retry') log.retry();
        else if (shown.pending.length > 0) log.pageFailed(shown.pending.shift()!.id);
        shown.collect();
        expect(log.size).toBeLessThanOrEqual(sizes.entriesMax);
        const { loaded } = log;
        if (loaded === null) continue;
        const { seqs } = shown;
        const isAroundTarget = log.target !== null && shown.pending.length > 0;
        if (!isAroundTarget) {
          expect(seqs.filter((seq) => seq >= loaded.from)).toEqual(
            history.entries(loaded.from, loaded.to).map(({ seq }) => seq),
          );
        }
        if (log.isFollowing) expect(seqs.at(-1)).toBe(history.entries(0, history.last).at(-1)?.seq);
      }
      log.takeTarget();
      log.retry();
      shown.collect();
      shown.answerAll();
      for (let at = 0; at < 200 && !(log.isFollowing && log.isAttached); at += 1) {
        if (log.isPaused) log.follow();
        shown.view(0.9);
        shown.view(1);
        shown.answerAll();
      }
      expect([log.isFollowing, log.isAttached]).toEqual([true, true]);
    }),
    { numRuns: 300 },
  );
});
