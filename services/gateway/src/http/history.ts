import { controlOf } from '@runlog/records/control-record';
import { receivedAtOf } from '@runlog/records/event-record';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { LogRecord, TopicIo } from '@runlog/topic-io/topic-io';

/**
 * The most records, of any run, that are looked at for one page. Beyond it the page ends early, and `next` continues
 * from there.
 */
const RECORDS_SCANNED_MAX = 50_000;
const SCAN_MS_MAX = 5_000;
/** The number of offsets that a backward read looks at first. Each further step looks at twice as many. */
const WINDOW_RECORDS = 1_000;

export interface HistoryQuery {
  readonly key: string;
  /** For paging backwards: the newest events below this offset. */
  readonly before?: number | undefined;
  /** For paging forwards: the oldest events above this offset. */
  readonly after?: number | undefined;
  readonly limit: number;
  readonly signal: AbortSignal;
}

export interface HistoryPage {
  /** JSON texts `{seq, received_at, event}`, oldest first. `event` holds the bytes as they were received. */
  readonly events: readonly string[];
  /** The next page's `before` or `after`, whichever this page was asked for by. Null if there is no more. */
  readonly next: number | null;
}

/** Reads a run's events from the topic. `topic` has the partition count that its keys were hashed with. */
export class History {
  readonly #io: TopicIo;
  readonly #topic: { name: string; partitions: number };
  readonly #now: () => number;

  constructor(options: { io: TopicIo; topic: { name: string; partitions: number }; now: () => number }) {
    this.#io = options.io;
    this.#topic = options.topic;
    this.#now = options.now;
  }

  async page(query: HistoryQuery): Promise<HistoryPage> {
    const partition = partitionOf(query.key, this.#topic.partitions);
    const bounds = (await this.#io.bounds(this.#topic.name))[partition];
    if (bounds === undefined) throw new Error(`${this.#topic.name} has no partition ${partition}`);
    const scan = {
      ...query,
      partition,
      start: bounds.startOffset,
      end: bounds.stableEnd,
      deadlineMs: this.#now() + SCAN_MS_MAX,
    };
    return query.after === undefined ? this.#backward(scan) : this.#forward(scan, query.after);
  }

  async #forward(scan: Scan, after: number): Promise<HistoryPage> {
    const events: string[] = [];
    const from = Math.max(after + 1, scan.start);
    let reached = from;
    for await (const { record, nextOffset } of this.#read(scan, { from, to: scan.end })) {
      reached = nextOffset;
      if (record !== null) events.push(record);
      if (events.length >= scan.limit) break;
    }
    return { events, next: reached < scan.end ? reached - 1 : null };
  }

  async #backward(scan: Scan): Promise<HistoryPage> {
    let events: string[] = [];
    let to = Math.min(scan.before ?? scan.end, scan.end);
    let windowRecords = WINDOW_RECORDS;
    let scanned = 0;
    while (to > scan.start && events.length < scan.limit) {
      if (scanned >= RECORDS_SCANNED_MAX || this.#now() > scan.deadlineMs) break;
      const from = Math.max(scan.start, to - Math.min(windowRecords, RECORDS_SCANNED_MAX - scanned));
      const found: string[] = [];
      for await (const { record } of this.#read(
        { ...scan, deadlineMs: Number.POSITIVE_INFINITY },
        { from, to },
      )) {
        if (record !== null) found.push(record);
      }
      events = [...found, ...events];
      scanned += to - from;
      windowRecords *= 2;
      to = from;
    }
    if (events.length > scan.limit) {
      events = events.slice(events.length - scan.limit);
      return { events, next: seqOf(events[0] as string) };
    }
    return { events, next: to > scan.start ? to : null };
  }

  /** Yields the run's events in a range of offsets, and how far the reading has got. */
  async *#read(
    scan: Scan,
    range: { from: number; to: number },
  ): AsyncGenerator<{ record: string | null; nextOffset: number }> {
    if (range.from >= range.to) return;
    await using reader = this.#io.reader({ topic: this.#topic.name, signal: scan.signal });
    reader.add({ partition: scan.partition, offset: range.from });
    for await (const fetched of reader) {
      // Retention passed the position while we read. The remaining records begin further on.
      if (fetched.kind === 'out_of_range') {
        if (fetched.startOffset >= range.to || fetched.startOffset <= range.from) return;
        reader.add({ partition: scan.partition, offset: fetched.startOffset });
        continue;
      }
      for (const record of fetched.records) {
        if (record.offset >= range.to) return;
        if (record.key === scan.key) {
          yield { record: eventText(record), nextOffset: record.offset + 1 };
        }
      }
      yield { record: null, nextOffset: Math.min(fetched.nextOffset, range.to) };
      const isSpent = fetched.nextOffset - range.from >= RECORDS_SCANNED_MAX || this.#now() > scan.deadlineMs;
      if (fetched.nextOffset >= range.to || isSpent) return;
    }
  }
}

interface Scan extends HistoryQuery {
  readonly partition: number;
  readonly start: number;
  readonly end: number;
  readonly deadlineMs: number;
}

/** Returns the stored bytes unchanged, after checking that they are JSON, or null if the record is not an event. */
function eventText(record: LogRecord): string | null {
  if (record.value === null || controlOf(record) !== null) return null;
  const event = record.value.toString('utf8');
  try {
    JSON.parse(event);
  } catch {
    return null;
  }
  const receivedAt = JSON.stringify(receivedAtOf(record));
  return `{"seq":${record.offset},"received_at":${receivedAt},"event":${event}}`;
}

function seqOf(text: string): number {
  return Number(/^\{"seq":(\d+)/.exec(text)?.[1]);
}
