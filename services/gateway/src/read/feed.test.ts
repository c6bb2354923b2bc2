import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { topicNames } from '@runlog/schema/log/topics';
import { systemClock } from '@runlog/service-kit/clock';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { type Fetched, type ReaderOptions, type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { expect, it } from 'vitest';
import { changedReader } from '../../../../test/support/changed-reader.ts';
import { epochCompleted } from '../../../../test/support/event-factory.ts';
import { recordToAppend } from '../../../../test/support/past-log.ts';
import { silentLogger } from '../../../../test/support/silent-logger.ts';
import { readGatewayConfig } from '../config.ts';
import { Feed } from './feed.ts';

const KEY = 'c1/r1/default';
const topics = topicNames('');

/** The log, which can be lost: whatever is asked of it then ends with a passing fault, as reading it does. */
class LosableLog {
  readonly io: TopicIo;
  /** The topics that readers were opened for. */
  readonly read: string[] = [];
  #isLost = false;
  readonly #losing = new Set<(error: Error) => void>();

  constructor(io: TopicIo) {
    const ask = <Arguments extends unknown[], Answer>(method: (...args: Arguments) => Promise<Answer>) => {
      return (...args: Arguments) => (this.#isLost ? Promise.reject(lost()) : method(...args));
    };
    this.io = {
      ...{
        engine: io.engine,
        deleteTopic: (name, only) => io.deleteTopic(name, only),
        ping: () => io.ping(),
      },
      throttledMs: () => io.throttledMs(),
      ...{ writer: (options) => io.writer(options), groupMember: (options) => io.groupMember(options) },
      fencedWriter: ask((id: string) => io.fencedWriter(id)),
      ensureTopics: ask((specs: Parameters<TopicIo['ensureTopics']>[0]) => io.ensureTopics(specs)),
      describeTopic: ask((name: string) => io.describeTopic(name)),
      bounds: ask((topic: string) => io.bounds(topic)),
      offsetAtTime: ask((at: Parameters<TopicIo['offsetAtTime']>[0]) => io.offsetAtTime(at)),
      openTransactions: (at) => io.openTransactions(at),
      reader: (options) => this.#reader(io, options),
      [Symbol.asyncDispose]: () => io[Symbol.asyncDispose](),
    };
  }

  lose(): void {
    this.#isLost = true;
    for (const reject of this.#losing) reject(lost());
  }

  find(): void {
    this.#isLost = false;
  }

  #reader(io: TopicIo, options: ReaderOptions) {
    this.read.push(options.topic);
    return changedReader(io.reader(options), (fetched) => {
      const iterator = fetched[Symbol.asyncIterator]();
      const next = () => {
        return new Promise<IteratorResult<Fetched>>((resolve, reject) => {
          if (this.#isLost) return reject(lost());
          this.#losing.add(reject);
          iterator.next().then(resolve, reject);
        });
      };
      return { next };
    });
  }
}

function lost(): TopicIoError {
  return new TopicIoError('unavailable', 'nobody answers');
}

it('serves on what it holds when the log is lost, and goes on from there without a restore', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-feed-'));
  const io = await openEmbedded({ folder, logger: silentLogger, now: () => Date.UTC(2026, 0, 4) });
  const log = new LosableLog(io);
  const stop = new AbortController();
  const config = readGatewayConfig({ KAFKA_BROKERS: 'nowhere:1', RUNLOG_PARTITIONS: '1' });
  const feed = new Feed({
    ...{ config, io: log.io, logger: silentLogger, clock: systemClock },
    ...{ newEpoch: () => 'e1', signal: stop.signal, onReady: () => undefined },
  });
  const running = feed.run();
  const append = async (count: number) => {
    await using writer = await io.writer();
    const records = Array.from({ length: count }, () => epochCompleted()).map(recordToAppend);
    await writer.append({ topic: topics.events, partition: 0, records });
  };
  const seq = () => feed.runs()?.states.get(KEY)?.position.seq ?? null;
  try {
    await expect.poll(feed.hub).not.toBeNull();
    await append(10);
    await expect.poll(seq).toBe(9);
    const hub = feed.hub()!;
    const resets: string[] = [];
    const entries: number[] = [];
    const subscription = hub.attach(KEY, {
      reached: () => undefined,
      deliver: (frames) => {
        for (const { text } of frames) {
          const frame = JSON.parse(text) as { reset?: unknown; entries?: { seq: number }[] };
          if (frame.reset !== undefined) resets.push(text);
          for (const entry of frame.entries ?? []) entries.push(entry.seq);
        }
        return true;
      },
    });
    hub.join(subscription, null);
    log.lose();
    await append(5);
    await expect.poll(() => feed.state().state).toBe('stalled');
    expect({ hub: feed.hub(), seq: seq(), notReady: feed.notReadyBecause() }).toEqual({
      ...{ hub, seq: 9, notReady: null },
    });
    expect(feed.health()).toMatchObject({ state: 'stalled', behind_records: null });
    log.find();
    await expect.poll(seq).toBe(14);
    await expect.poll(() => entries).toEqual([10, 11, 12, 13, 14]);
    expect(resets).toEqual([]);
    expect(feed.hub()).toBe(hub);
    await expect.poll(() => feed.health()).toEqual({ state: 'live', behind_records: 0 });
    expect(log.read.filter((topic) => topic === topics.snapshots)).toHaveLength(1);
  } finally {
    stop.abort();
    await running;
    await io[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
});
