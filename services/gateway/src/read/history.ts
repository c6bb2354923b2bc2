import { segmentAt } from '@runlog/run-state/landmarks';
import { pastEntryOf } from '@runlog/run-state/past-entry';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import type { Clock } from '@runlog/service-kit/clock';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { EpisodesReached } from './episodes-reached.ts';
import { type EventFilter, entryTest } from './event-filter.ts';
import { leadIn } from './lead-in.ts';
import { PageReading, type Window } from './page-reading.ts';
import { type PastEvent, setEpisodes, storedEventText } from './past-event.ts';
import { firstLookMax, quietUntil, stretchBelow } from './quiet-stretch.ts';
import { ownTurn } from './turns.ts';
import { whileLogAnswers } from './while-log-answers.ts';

/** A page that takes so long ends early if it has got anywhere. */
const PAGE_MS_MAX = 5_000;
/** Others are served after so many. */
const TEXTS_AT_ONCE = 100;

export interface HistoryQuery extends EventFilter {
  /** The run, as far as it is folded. */
  readonly state: RunSnapshot;
  /** For paging backwards: the newest events below this offset. */
  readonly before?: number | undefined;
  /** For paging forwards: the oldest events above this offset. */
  readonly after?: number | undefined;
  readonly limit: number;
  readonly signal: AbortSignal;
}

export interface HistoryPage {
  /** JSON texts of StoredEvents, oldest first. */
  readonly events: readonly string[];
  /** The next page's `before` or `after`, whichever this page was asked for by. Null at the end. */
  readonly next: number | null;
  /** The lowest offset that could be read. */
  readonly oldest: number;
}

/** Reads a run's events from the topic. `topic` has the partition count that its keys were hashed with. */
export class History {
  readonly #io: TopicIo;
  readonly #topic: { name: string; partitions: number };
  readonly #clock: Pick<Clock, 'now' | 'after'>;
  readonly #reached = new EpisodesReached();

  constructor(options: {
    io: TopicIo;
    topic: { name: string; partitions: number };
    clock: Pick<Clock, 'now' | 'after'>;
  }) {
    this.#io = options.io;
    this.#topic = options.topic;
    this.#clock = options.clock;
  }

  /**
   * Reads one page, at most 4 MiB of the log. An entry needs the run's episode before it (`leadIn`). If the page may not
   * read as far as that takes, it has no events, and its `next` is where it was asked to begin: the same page, asked for
   * again, goes on from what was reached.
   */
  async page(query: HistoryQuery): Promise<HistoryPage> {
    const log = { io: this.#io, clock: this.#clock, signal: query.signal };
    return await whileLogAnswers(log, (io, signal) => this.#read(io, { ...query, signal }));
  }

  async #read(io: TopicIo, query: HistoryQuery): Promise<HistoryPage> {
    const { state, signal } = query;
    const partition = partitionOf(formatRunKey(state), this.#topic.partitions);
    const bounds = (await io.bounds(this.#topic.name))[partition];
    if (bounds === undefined) throw new Error(`${this.#topic.name} has no partition ${partition}`);
    const deadlineMs = this.#clock.now() + PAGE_MS_MAX;
    await using reading = new PageReading(io, {
      ...{ state, signal, partition },
      topic: this.#topic.name,
      oldest: Math.max(state.first_seq, bounds.startOffset),
      end: Math.min(state.position.seq + 1, bounds.stableEnd),
      isLate: () => this.#clock.now() > deadlineMs,
    });
    const { events, next } =
      query.after === undefined
        ? await this.#backward(reading, query)
        : await this.#forward(reading, query, query.after);
    const texts: string[] = [];
    for (const [index, event] of events.entries()) {
      if (index > 0 && index % TEXTS_AT_ONCE === 0) await ownTurn();
      texts.push(storedEventText(event, reading.known));
    }
    return { events: texts, next, oldest: reading.oldest };
  }

  async #forward(reading: PageReading, query: HistoryQuery, after: number): Promise<Page> {
    const { oldest, end } = reading;
    const from = Math.max(after + 1, oldest);
    if (from >= end) return { events: [], next: null };
    const lead = await leadIn(reading, {
      run: query.state,
      seq: from,
      reached: this.#reached,
      mayGoOn: true,
    });
    // What was reached is kept, also if nothing is left now for the events themselves.
    if (lead === 'further' || reading.isSpent) return { events: [], next: from - 1 };
    reading.release();
    const { events, reached, episode } = await collectForward(reading, { query, from, ...lead });
    if (reached >= end) return { events, next: null };
    this.#reached.add(query.state, { seq: reached, episode, sought: null });
    return { events, next: reached - 1 };
  }

  async #backward(reading: PageReading, query: HistoryQuery): Promise<Page> {
    const { oldest, end, known } = reading;
    const begin = Math.min(query.before ?? end, end);
    const { events, page, to } = await collectBackward(reading, { query, begin });
    const first = page[0];
    if (first === undefined) return { events: [], next: to > oldest ? to : null };
    const withEpisode = page.filter(({ episode }) => episode !== null);
    if (withEpisode.length < page.length) {
      const lowestKnown = withEpisode[0]?.seq;
      const way = { seq: first.seq, reached: this.#reached, mayGoOn: lowestKnown === undefined };
      const lead = await leadIn(reading, { run: query.state, ...way });
      // The others come with the next page, which goes on from here with a whole 4 MiB.
      if (lead === 'further') return { events: withEpisode, next: lowestKnown ?? begin };
      setEpisodes(
        events.filter(({ seq }) => seq >= first.seq),
        { before: lead.episode, known },
      );
    }
    const lowest = page.length >= query.limit ? first.seq : to;
    return { events: page, next: lowest > oldest ? lowest : null };
  }
}

interface Page {
  readonly events: readonly PastEvent[];
  readonly next: number | null;
}

/** Reads up from an offset until the page is full, or as far as the page may read. `episode` is the one before it. */
async function collectForward(
  reading: PageReading,
  start: { query: HistoryQuery; from: number; episode: number | null },
): Promise<{ events: readonly PastEvent[]; reached: number; episode: number | null }> {
  const { query, from } = start;
  const { end, known } = reading;
  const isWanted = wantedBy(query);
  const seen: PastEvent[] = [];
  const events: PastEvent[] = [];
  let { episode } = start;
  let reached = from;
  /** A pause of the run is looked for from there on, once a segment. */
  let lookFrom = from;
  while (reached < end) {
    let isThere = false;
    for await (const part of reading.read({ from: reached, to: end })) {
      isThere = true;
      for (const event of part.events) {
        episode = setEpisodes([event], { before: episode, known });
        seen.push(event);
        if (isWanted(event)) events.push(event);
        if (events.length >= query.limit) return { events, reached: event.seq + 1, episode };
      }
      reached = part.nextOffset;
      if (reading.isSpent) return { events, reached, episode };
      if (part.events.length === 0 && reached >= lookFrom) break;
    }
    // Retention may have deleted all of it meanwhile.
    if (!isThere) return { events, reached: reading.isSpent ? reached : end, episode };
    if (reached >= end) break;
    const next = await quietUntil(reading, { run: query.state, events: seen, from, reached });
    lookFrom = next ?? segmentAt(query.state, reached)?.to ?? end;
    reached = next ?? reached;
    if (reading.isSpent) break;
  }
  return { events, reached, episode };
}

/** Reads down from `begin` until the page is full, or as far as the page may read. */
async function collectBackward(
  reading: PageReading,
  { query, begin }: { query: HistoryQuery; begin: number },
): Promise<{ events: readonly PastEvent[]; page: readonly PastEvent[]; to: number }> {
  const { oldest, known } = reading;
  const { state: run } = query;
  const isWanted = wantedBy(query);
  let to = begin;
  let events: PastEvent[] = [];
  let page: PastEvent[] = [];
  let records = Math.min(reading.recordsHolding(query.limit, { before: to }), firstLookMax(run, to));
  let wasEmpty = false;
  /** The segment in which a pause of the run was looked for. */
  let lookedAt: number | null = null;
  while (to > oldest) {
    const segment = segmentAt(run, to - 1)?.from ?? null;
    let window: Window | null = null;
    if (wasEmpty && segment !== lookedAt) {
      window = await stretchBelow(reading, { run, events, to, begin });
      lookedAt = segment;
      if (window === null && reading.isSpent) break;
    }
    window ??= await reading.window({ to, records, isFirst: to === begin });
    if (window === null) break;
    wasEmpty = window.events.length === 0;
    events = [...window.events, ...events];
    to = window.from;
    setEpisodes(events, { before: known.at(to), known });
    const wanted = window.events.filter(isWanted);
    page = [...wanted, ...page].slice(-query.limit);
    if (page.length >= query.limit) break;
    const newest = page.at(-1);
    // Some of the page can be given in any case. Otherwise something must be left for finding the episode.
    if (newest !== undefined && newest.episode !== null) reading.release();
    if (reading.isSpent) break;
    const missing = wanted.length === 0 ? Number.POSITIVE_INFINITY : query.limit - page.length;
    records = Math.min(window.records * 2, reading.recordsHolding(missing, { before: to }));
  }
  return { events, page, to };
}

function wantedBy(filter: EventFilter): (event: PastEvent) => boolean {
  const test = entryTest(filter);
  if (test === null) return () => true;
  // No filter asks for the episode.
  return ({ record }) => record !== null && test(pastEntryOf(record, 0));
}
