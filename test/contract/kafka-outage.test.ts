import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { Logger } from '@runlog/topic-io/logger';
import type { Fetched, RecordToAppend, TopicIo, TopicIoError, TopicWriter } from '@runlog/topic-io/topic-io';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClusterMap } from '../chaos/cluster-map.ts';
import { startCluster } from '../support/broker.ts';
import type { MavenBrokers } from '../support/broker-maven.ts';
import { OwnTime } from '../support/own-time.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { uniqueName } from '../support/unique-name.ts';
import {
  appendAll,
  createTopic,
  expectAcknowledged,
  numbered,
  readToEnd,
  record,
  rejectionOf,
  textOf,
} from './contract-context.ts';

/** The milliseconds of its own time that an operation may take to report that Kafka does not answer. */
const ANSWER_BOUND_MS = 14_000;

interface Line {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
}

function recordingLogger(): { logger: Logger; lines: Line[] } {
  const lines: Line[] = [];
  const at = (level: Line['level']) => (_: object, message: string) => {
    lines.push({ level, message });
  };
  return {
    lines,
    logger: { debug: () => undefined, info: at('info'), warn: at('warn'), error: at('error') },
  };
}

describe('a broker that goes and comes back', () => {
  let cluster: MavenBrokers;

  beforeAll(async () => {
    cluster = await startCluster({ count: 1 });
  });

  afterAll(async () => {
    await cluster?.stop();
  });

  it('answers unavailable in bounded time while nothing listens, and works once the broker is there', async () => {
    await cluster.kill(0, 'SIGKILL');
    const { logger, lines } = recordingLogger();
    const io = await openKafka({ brokers: cluster.brokers, clientId: 'runlog-outage', logger });
    const writer = await io.writer();
    using took = new OwnTime();
    const [append, ...rejections] = await Promise.all([
      writer.append({ topic: 'nowhere', partition: 0, records: numbered('lost', 1) }),
      rejectionOf(io.ping()),
      rejectionOf(io.bounds('nowhere')),
      rejectionOf(io.describeTopic('nowhere')),
      rejectionOf(
        io.ensureTopics([{ name: 'nowhere', partitions: 1, cleanupPolicy: 'delete', settings: {} }]),
      ),
      rejectionOf(io.groupMember({ group: 'g', topic: 'nowhere' })),
    ]);
    expect(took.ms).toBeLessThan(ANSWER_BOUND_MS);
    expect(append).toMatchObject({ acknowledged: 0, baseOffset: -1, fault: { code: 'unavailable' } });
    expect(rejections.map((fault) => fault.code)).toEqual(rejections.map(() => 'unavailable'));
    expect(lines).toEqual([{ level: 'warn', message: 'a broker does not answer; trying again' }]);

    const faults: (TopicIoError | null)[] = [];
    await using reader = io.reader({ topic: 'late', onFault: (fault) => faults.push(fault) });
    reader.add({ partition: 0, offset: 0 });
    const first = reader[Symbol.asyncIterator]().next();
    await expect.poll(() => faults.length).toBe(1);

    await cluster.restart(0);
    await untilDone(() =>
      io.ensureTopics([{ name: 'late', partitions: 1, cleanupPolicy: 'delete', settings: {} }]),
    );
    expect((await first).value).toMatchObject({ kind: 'records', records: [], nextOffset: 0 });
    expect(faults).toHaveLength(2);
    expect(faults[1]).toBeNull();
    const kept = { topic: 'late', partition: 0, records: numbered('kept', 3) };
    await expect.poll(async () => (await writer.append(kept)).acknowledged).toBe(3);
    await io[Symbol.asyncDispose]();
    // There is one line when it begins and one when it is over. If the broker fails once more while it starts, both
    // occur again.
    const levels = lines.map(({ level }) => level);
    expect(levels).toEqual(levels.map((_, index) => (index % 2 === 0 ? 'warn' : 'info')));
    expect(levels.at(-1)).toBe('info');
  });

  it('lets a writer, a reader, a fenced writer and a group member live through a restart', async () => {
    await using io = await openKafka({
      brokers: cluster.brokers,
      clientId: 'runlog-restart',
      logger: silentLogger,
    });
    const topic = await createTopic(io, { partitions: 2 });
    await using writer = await io.writer();
    await using member = await io.groupMember({ group: uniqueName('group'), topic });
    const assignments = member[Symbol.asyncIterator]();
    const assigned = (await assignments.next()).value;
    expect(assigned.partitions).toEqual([0, 1]);
    await using fenced = await io.fencedWriter(uniqueName('writer'));
    await fenced.commit({ records: [{ topic, partition: 1, records: numbered('before', 1) }] });
    await using reader = io.reader({ topic });
    reader.add({ partition: 0, offset: 0 });
    const texts: (string | null)[] = [];
    const read = (async () => {
      for await (const fetched of reader) {
        if (fetched.kind === 'records') texts.push(...textOf(fetched.records));
      }
    })();
    expectAcknowledged(await writer.append({ topic, partition: 0, records: numbered('before', 2) }), 2);
    await expect.poll(() => texts.length).toBe(2);

    await cluster.kill(0, 'SIGKILL');
    const pending = writer.append({ topic, partition: 0, records: numbered('during', 2) });
    await cluster.restart(0);

    const during = await pending;
    if (during.fault !== undefined) {
      const again = { topic, partition: 0, records: numbered('during', 2) };
      await expect.poll(async () => (await writer.append(again)).acknowledged).toBe(2);
    }
    await expect.poll(() => texts.at(-1)).toBe('during-1');
    expect([...new Set(texts)]).toEqual(['before-0', 'before-1', 'during-0', 'during-1']);
    await fenced.commit({ records: [{ topic, partition: 1, records: numbered('after', 1) }] });
    // Kafka answers a commit when it is decided; it becomes visible a little later.
    await expect
      .poll(async () => textOf((await readToEnd(io, { topic, partition: 1 })).records))
      .toEqual(['before-0', 'after-0']);
    let { generation } = assigned;
    const follow = (async () => {
      for (let next = await assignments.next(); !next.done; next = await assignments.next()) {
        ({ generation } = next.value);
      }
    })();
    await expect.poll(() => member.confirm(generation)).toBe(true);
    await member[Symbol.asyncDispose]();
    await reader[Symbol.asyncDispose]();
    await Promise.all([follow, read]);
  });

  it('rejects opening a fenced writer within its bound when the broker hangs', async () => {
    await using io = await openKafka({
      brokers: cluster.brokers,
      clientId: 'runlog-hang',
      logger: silentLogger,
    });
    const topic = await createTopic(io);
    await using fenced = await io.fencedWriter(uniqueName('writer'));
    await using writer = await io.writer();
    expectAcknowledged(await writer.append({ topic, partition: 0, records: numbered('a', 1) }), 1);
    await cluster.kill(0, 'SIGSTOP');
    try {
      using took = new OwnTime();
      const [commit, append] = await Promise.all([
        rejectionOf(fenced.commit({ records: [{ topic, partition: 0, records: numbered('b', 1) }] })),
        writer.append({ topic, partition: 0, records: numbered('c', 1) }),
      ]);
      expect(took.ms).toBeLessThan(ANSWER_BOUND_MS);
      expect(commit.code).toBe('unavailable');
      expect(append).toMatchObject({ acknowledged: 0, fault: { code: 'unavailable' } });
    } finally {
      await cluster.kill(0, 'SIGCONT');
    }
    // Records that were given up may have arrived nevertheless. A record that is acknowledged now comes after them, and
    // once.
    const later = { topic, partition: 0, records: numbered('d', 1) };
    await expect.poll(async () => (await writer.append(later)).acknowledged).toBe(1);
    const read = async () => textOf((await readToEnd(io, { topic })).records);
    // It is written after anything that the broker may still hold of the transaction, until that times out.
    await expect.poll(read).toContain('d-0');
    const texts = await read();
    expect(texts[0]).toBe('a-0');
    expect(texts).not.toContain('b-0');
  });
});

describe('three brokers', () => {
  let cluster: MavenBrokers;
  let io: TopicIo;

  beforeAll(async () => {
    cluster = await startCluster({ count: 3 });
    io = await openKafka({ brokers: cluster.brokers, clientId: 'runlog-cluster', logger: silentLogger });
  });

  afterAll(async () => {
    await io?.[Symbol.asyncDispose]();
    await cluster?.stop();
  });

  it('lose, double and reorder nothing acknowledged while brokers are killed under the writer', async () => {
    const topic = await createTopic(io, { partitions: 6, settings: { 'min.insync.replicas': '2' } });
    expect((await io.describeTopic(topic))?.replicationFactor).toBe(3);
    await using map = new ClusterMap(cluster.brokers);
    await using writer = await io.writer();
    await using reader = io.reader({ topic });
    const live = followAll(reader, 6);
    const emitters = Array.from({ length: 6 }, (_, partition) => new Emitter({ writer, topic, partition }));
    const running = emitters.map((emitter) => emitter.run());
    const everyoneReaches = async (count: number) => {
      for (const emitter of emitters) {
        await expect.poll(() => emitter.acknowledged).toBeGreaterThanOrEqual(count);
      }
    };

    await everyoneReaches(200);
    for (const index of [0, 1, 2]) {
      await cluster.kill(index, 'SIGKILL');
      const reached = Math.max(...emitters.map((emitter) => emitter.acknowledged));
      await everyoneReaches(reached + 200);
      await cluster.restart(index);
      await everyoneReaches(reached + 400);
      // The next broker may be killed only when this one holds everything again: two of three must stay in sync.
      await expect.poll(() => map.isInSync(3), { timeout: 90_000, interval: 100 }).toBe(true);
    }
    for (const emitter of emitters) emitter.stop();
    await Promise.all(running);

    for (const emitter of emitters) {
      const { partition } = emitter;
      const { records } = await readToEnd(io, { topic, partition });
      const byOffset = new Map(records.map((one) => [one.offset, Number(one.value?.toString())]));
      for (const [first, baseOffset] of emitter.offsets) expect(byOffset.get(baseOffset)).toBe(first);
      const numbers = records.map((one) => Number(one.value?.toString()));
      const distinct = [...new Set(numbers)];
      expect(distinct).toEqual(Array.from({ length: emitter.acknowledged }, (_, index) => index));
      // Only records whose fate the writer had called unknown may occur twice.
      const seen = new Set<number>();
      for (const one of numbers) {
        if (seen.has(one)) expect(emitter.resent).toContain(one);
        seen.add(one);
      }
      await expect.poll(() => live.of(partition)).toEqual(numbers);
    }
    await reader[Symbol.asyncDispose]();
    await live.ended;
  });

  it('keep a transaction whole while the broker that coordinates it may be gone', async () => {
    const topic = await createTopic(io, { partitions: 3, settings: { 'min.insync.replicas': '2' } });
    const id = uniqueName('writer');
    const committed: number[] = [];
    const unknown = new Set<number>();
    let writer = await io.fencedWriter(id);
    const commit = async (round: number): Promise<void> => {
      const records = [0, 1, 2].map((partition) => ({
        topic,
        partition,
        records: [record({ value: Buffer.from(`${round}`) })],
      }));
      try {
        await writer.commit({ records });
        committed.push(round);
      } catch {
        unknown.add(round);
        await writer[Symbol.asyncDispose]();
        writer = await untilDone(() => io.fencedWriter(id));
      }
    };
    let round = 0;
    const commitMore = async (count: number): Promise<void> => {
      const wanted = committed.length + count;
      for (; committed.length < wanted; round += 1) await commit(round);
    };
    await commitMore(10);
    await cluster.kill(1, 'SIGKILL');
    await commitMore(20);
    await cluster.restart(1);
    await commitMore(10);
    await writer[Symbol.asyncDispose]();

    const roundsIn = async (partition: number): Promise<number[]> => {
      const { records } = await readToEnd(io, { topic, partition });
      return records.map((one) => Number(one.value?.toString()));
    };
    const perPartition: number[][] = [];
    for (const partition of [0, 1, 2]) {
      // Kafka answers a commit when it is decided. It becomes visible a little later, in each partition separately.
      await expect.poll(() => roundsIn(partition)).toContain(committed.at(-1));
      perPartition.push(await roundsIn(partition));
    }
    // Each commit is there as a whole or not at all, in order, and no acknowledged commit is missing.
    expect(perPartition[1]).toEqual(perPartition[0]);
    expect(perPartition[2]).toEqual(perPartition[0]);
    const rounds = perPartition[0] ?? [];
    expect(rounds).toEqual([...new Set(rounds)].sort((a, b) => a - b));
    expect(rounds.filter((one) => !unknown.has(one))).toEqual(committed);
  });

  it('let a group continue when the broker that coordinates it is killed', async () => {
    const topic = await createTopic(io, { partitions: 6 });
    const group = uniqueName('group');
    const members = [await io.groupMember({ group, topic }), await io.groupMember({ group, topic })];
    const latest = members.map(() => ({ generation: -1, partitions: [] as readonly number[] }));
    const following = members.map(async (member, index) => {
      for await (const assignment of member) latest[index] = assignment;
    });
    const agreed = async () => {
      const partitions = latest.flatMap((one) => one.partitions).sort();
      const generations = new Set(latest.map((one) => one.generation));
      const confirmed = await Promise.all(
        members.map((member, i) => member.confirm(latest[i]?.generation ?? -1)),
      );
      return { partitions, generations: generations.size, confirmed };
    };
    const whole = { partitions: [0, 1, 2, 3, 4, 5], generations: 1, confirmed: [true, true] };
    await expect.poll(agreed).toEqual(whole);
    for (const index of [0, 1, 2]) {
      await cluster.kill(index, 'SIGKILL');
      await expect.poll(agreed).toEqual(whole);
      await cluster.restart(index);
      await untilDone(() => appendAll(io, { topic, records: numbered('alive', 1) }));
    }
    await Promise.all(members.map((member) => member[Symbol.asyncDispose]()));
    await Promise.all(following);
  });
});

/** Returns the result of the first try that does not reject. A broker that has just started may need several. */
async function untilDone<Result>(work: () => Promise<Result>): Promise<Result> {
  const results: Result[] = [];
  await expect
    .poll(
      async () => {
        if (results.length === 0) results.push(await work());
        return results.length;
      },
      { timeout: 90_000, interval: 100 },
    )
    .toBe(1);
  return results[0]!;
}

/** Numbers its records and sends each again until it is acknowledged, a few appends at a time. */
class Emitter {
  readonly partition: number;
  readonly offsets: [first: number, baseOffset: number][] = [];
  readonly resent = new Set<number>();
  readonly #writer: TopicWriter;
  readonly #topic: string;
  acknowledged = 0;
  #stopped = false;

  constructor(options: { writer: TopicWriter; topic: string; partition: number }) {
    this.#writer = options.writer;
    this.#topic = options.topic;
    this.partition = options.partition;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Runs until it is stopped and knows that each record has arrived. */
  async run(): Promise<void> {
    const { partition } = this;
    let isUnsure = false;
    while (!this.#stopped || isUnsure) {
      isUnsure = false;
      const begin = this.acknowledged;
      const appends = [0, 4, 8].map((ahead) => {
        const records: RecordToAppend[] = [0, 1, 2, 3].map((index) =>
          record({ value: Buffer.from(`${begin + ahead + index}`) }),
        );
        return this.#writer.append({ topic: this.#topic, partition, records });
      });
      for (const [index, append] of appends.entries()) {
        const result = await append;
        const first = begin + index * 4;
        if (result.acknowledged > 0 && this.acknowledged === first) {
          this.offsets.push([first, result.baseOffset]);
          this.acknowledged += result.acknowledged;
        }
        if (result.fault === undefined) continue;
        isUnsure = true;
        for (let one = this.acknowledged; one < begin + 12; one += 1) this.resent.add(one);
      }
    }
  }
}

function followAll(
  reader: AsyncIterable<Fetched> & { add(at: { partition: number; offset: number }): void },
  count: number,
) {
  const numbers = Array.from({ length: count }, () => [] as number[]);
  for (let partition = 0; partition < count; partition += 1) reader.add({ partition, offset: 0 });
  const ended = (async () => {
    for await (const fetched of reader) {
      if (fetched.kind !== 'records') throw new Error('the log does not begin at 0');
      for (const one of fetched.records) numbers[fetched.partition]?.push(Number(one.value?.toString()));
    }
  })();
  return { ended, of: (partition: number) => numbers[partition] };
}
