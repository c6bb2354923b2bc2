import { startCodecs } from '../compression.ts';
import { type TopicIo, TopicIoError } from '../topic-io.ts';
import { BOUNDS, type KafkaOptions } from './config.ts';
import { KafkaFencedWriter, LostIds } from './fenced-writer.ts';
import { KafkaGroupMember } from './group.ts';
import { KafkaWriter } from './lanes.ts';
import { openTransactions } from './open-transactions.ts';
import { patchKafkajs } from './patches.ts';
import { Reachability } from './reachability.ts';
import { KafkaReader } from './reader.ts';
import { KafkaSecurity } from './security.ts';
import { KafkaSession } from './session.ts';
import { TopicLimits } from './topic-limits.ts';
import { bounds, deleteTopic, describeTopic, ensureTopics, offsetAtTime } from './topics.ts';

/**
 * Opens the Kafka engine. Nothing is connected yet, so this succeeds even if no broker runs. Each operation connects on
 * first use, and ends with `unavailable` within 10 s if no broker answers (20 s for opening a fenced writer).
 */
export async function openKafka(options: KafkaOptions): Promise<TopicIo> {
  patchKafkajs();
  await startCodecs();
  const reachability = new Reachability(options);
  const security = new KafkaSecurity(options);
  const open = new Set<AsyncDisposable>();
  let closed = false;
  const session = (requestTimeoutMs: number = BOUNDS.requestMs) =>
    new KafkaSession({ kafka: options, security, reachability, requestTimeoutMs });
  /** This session is for short questions, never for a request that takes long. */
  const questions = session();
  const transactions = session(BOUNDS.produceRequestMs);
  const limits = new TopicLimits(questions);
  const lostIds = new LostIds();
  const refuseWhenClosed = () => {
    if (closed) throw new TopicIoError('closed', 'the log is closed');
  };
  /** Has a resource disposed of with the log, unless it was disposed of before. */
  const keep = <T extends AsyncDisposable>(resource: T, own: KafkaSession): T => {
    open.add(resource);
    own.closing.addEventListener('abort', () => open.delete(resource), { once: true });
    return resource;
  };

  return {
    engine: 'kafka',
    async ensureTopics(specs) {
      refuseWhenClosed();
      return ensureTopics(questions, specs);
    },
    async describeTopic(name, needs) {
      refuseWhenClosed();
      return describeTopic(questions, name, needs);
    },
    async deleteTopic(name, only = {}) {
      refuseWhenClosed();
      await deleteTopic(questions, { name, ...only });
    },
    async bounds(topic) {
      refuseWhenClosed();
      return bounds(questions, topic);
    },
    async offsetAtTime(position) {
      refuseWhenClosed();
      return offsetAtTime(questions, position);
    },
    async openTransactions(position) {
      refuseWhenClosed();
      const bootstrapServer = options.brokers[0] ?? 'HOST:9092';
      const isProven = options.sasl !== undefined || Boolean(options.ssl);
      return openTransactions(questions, { ...position, bootstrapServer, isProven });
    },
    async writer(writerOptions) {
      refuseWhenClosed();
      const { laneBytesMax, compression } = writerOptions ?? {};
      const own = session(BOUNDS.produceRequestMs);
      return keep(new KafkaWriter({ session: own, limits, laneBytesMax, compression }), own);
    },
    async fencedWriter(id) {
      refuseWhenClosed();
      return KafkaFencedWriter.open({ session: transactions, limits, id, lostIds });
    },
    reader(readerOptions) {
      refuseWhenClosed();
      const own = session();
      return keep(new KafkaReader(own, readerOptions), own);
    },
    async groupMember(memberOptions) {
      refuseWhenClosed();
      const own = session();
      try {
        return keep(
          await KafkaGroupMember.open({ ...memberOptions, session: own, leaveSession: questions }),
          own,
        );
      } catch (error) {
        await own.close({ abrupt: true });
        throw error;
      }
    },
    throttledMs: () => reachability.throttling.leftMs,
    async ping() {
      refuseWhenClosed();
      await questions.attempt({ doing: 'ask the cluster', timeoutMs: BOUNDS.operationMs }, () =>
        questions.refresh(),
      );
    },
    async [Symbol.asyncDispose]() {
      if (closed) return;
      closed = true;
      await Promise.all([...open].map((resource) => resource[Symbol.asyncDispose]()));
      await Promise.all([questions, transactions].map((own) => own.close({ abrupt: false })));
    },
  };
}
