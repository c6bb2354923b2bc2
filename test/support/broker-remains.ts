import { setTimeout as delay } from 'node:timers/promises';
import { patchKafkajs } from '@runlog/topic-io/kafka/patches';
import { type Admin, Kafka, logLevel } from 'kafkajs';

/**
 * The names that remain on a broker after the tests. Transactional ids remain too, because Kafka lets nobody delete
 * them.
 */
export interface BrokerRemains {
  readonly topics: readonly string[];
  readonly groups: readonly string[];
}

/**
 * A group can be deleted when its members are gone. A killed member stays until its session ends, which is 30 s in
 * kafkajs.
 */
const DELETE_MS_MAX = 50_000;
/** A service that is ending may still create a topic. */
const QUIET_MS = 1_000;
const POLL_MS = 200;

/** Lists the topics and groups of the broker, without Kafka's own. */
export async function listRemains(brokers: readonly string[]): Promise<BrokerRemains> {
  return await withAdmin(brokers, list);
}

/** Deletes all topics and groups whose names begin with the prefix. Rejects, and names them, if some remain. */
export async function deleteRemains(options: { brokers: readonly string[]; prefix: string }): Promise<void> {
  await withAdmin(options.brokers, async (admin) => {
    const endsMs = performance.now() + DELETE_MS_MAX;
    let quietSinceMs: number | null = null;
    for (;;) {
      const { topics, groups } = withPrefix(await list(admin), options.prefix);
      const nowMs = performance.now();
      if (topics.length + groups.length === 0) {
        quietSinceMs ??= nowMs;
        if (nowMs - quietSinceMs >= QUIET_MS) return;
      } else {
        quietSinceMs = null;
        if (nowMs > endsMs) throw new Error(`these stay: ${[...topics, ...groups].join(', ')}`);
        // Names that could not be deleted are listed again.
        if (topics.length > 0) await admin.deleteTopics({ topics: [...topics] }).catch(() => undefined);
        if (groups.length > 0) await admin.deleteGroups([...groups]).catch(() => undefined);
      }
      await delay(POLL_MS);
    }
  });
}

export function withPrefix({ topics, groups }: BrokerRemains, prefix: string): BrokerRemains {
  const hasPrefix = (name: string) => name.startsWith(prefix);
  return { topics: topics.filter(hasPrefix), groups: groups.filter(hasPrefix) };
}

async function list(admin: Admin): Promise<BrokerRemains> {
  const [topics, { groups }] = await Promise.all([admin.listTopics(), admin.listGroups()]);
  return {
    topics: topics.filter((name) => !name.startsWith('__')),
    groups: groups.map(({ groupId }) => groupId),
  };
}

async function withAdmin<Result>(
  brokers: readonly string[],
  work: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  // Without this, kafkajs's negative timers make Node 26 write a warning.
  patchKafkajs();
  const kafka = new Kafka({
    brokers: [...brokers],
    clientId: 'runlog-test-remains',
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 100, retries: 4 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}
