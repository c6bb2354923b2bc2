import { setTimeout as delay } from 'node:timers/promises';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import { type ContainerBroker, containerObstacle, startContainerBroker } from './broker-container.ts';
import { borrowBrokers, type LentBrokers } from './broker-lent.ts';
import {
  type MavenBrokerOptions,
  type MavenBrokers,
  mavenObstacle,
  startMavenBrokers,
} from './broker-maven.ts';
import { silentLogger } from './silent-logger.ts';

export type TestBrokers = LentBrokers | ContainerBroker | MavenBrokers;

/** The longest time from a broker that listens to one that serves. Each attempt has its own, shorter bound. */
const READY_MS_MAX = 60_000;
const READY_POLL_MS = 200;

/**
 * Finds or starts a real broker for tests: `KAFKA_BROKERS`, else a container, else Apache Kafka from Maven on this
 * machine's Java. If none is possible, it throws one error that says how to get each.
 * `RUNLOG_TEST_BROKER=container|maven` forces one way. The names of all that is made on it begin with the prefix, which
 * nobody else has: on a broker of `KAFKA_BROKERS` that is what is deleted at the end.
 */
export async function startBroker(prefix: string): Promise<TestBrokers> {
  const broker = await chooseBroker(process.env.RUNLOG_TEST_BROKER, prefix);
  try {
    await proveReady(broker.brokers, prefix);
  } catch (error) {
    // Why it does not serve says more than what cannot be tidied up on it.
    await broker.stop().catch(() => undefined);
    throw new Error(`the broker at ${broker.brokers.join(', ')} (${broker.way}) does not serve`, {
      cause: error,
    });
  }
  return broker;
}

/**
 * Starts the brokers of one cluster that can be killed and restarted, or that are set up in a way of their own. They are
 * always Apache Kafka from Maven.
 */
export async function startCluster(options: MavenBrokerOptions): Promise<MavenBrokers> {
  const obstacle = await mavenObstacle();
  if (obstacle !== null) {
    throw new Error(
      `killing brokers needs Apache Kafka from Maven: ${obstacle}. Install Java 17 or newer and Maven.`,
    );
  }
  const cluster = await startMavenBrokers(options);
  try {
    await proveReady(cluster.brokers, '');
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

async function chooseBroker(forced: string | undefined, prefix: string): Promise<TestBrokers> {
  if (forced === 'maven') return startMavenBrokers({ count: 1 });
  if (forced === 'container') return startContainerBroker();
  if (forced !== undefined && forced !== '') {
    throw new Error(`RUNLOG_TEST_BROKER is '${forced}'; it may be 'container' or 'maven'`);
  }
  const given = process.env.KAFKA_BROKERS;
  if (given !== undefined && given !== '') return borrowBrokers({ brokers: given.split(','), prefix });
  const noContainer = await containerObstacle();
  if (noContainer === null) return startContainerBroker();
  const noMaven = await mavenObstacle();
  if (noMaven === null) return startMavenBrokers({ count: 1 });
  throw new Error(
    [
      'Integration tests need a Kafka broker, and none of the three ways to get one works here:',
      '  1. a running cluster: KAFKA_BROKERS is not set; set it to host:port,…',
      `  2. a container: ${noContainer}; install Docker or Podman and start it`,
      `  3. Apache Kafka from Maven: ${noMaven}; install Java 17 or newer and Maven (Debian: openjdk-17-jre-headless maven)`,
    ].join('\n'),
  );
}

/** Resolves when the broker is ready. Listening is not enough: it must also create a topic. */
async function proveReady(brokers: readonly string[], prefix: string): Promise<void> {
  await using log = await openKafka({ brokers, clientId: 'runlog-test-probe', logger: silentLogger });
  const endsMs = performance.now() + READY_MS_MAX;
  for (;;) {
    try {
      await log.ensureTopics([
        { name: `${prefix}probe`, partitions: 1, cleanupPolicy: 'delete', settings: {} },
      ]);
      return;
    } catch (error) {
      if (performance.now() > endsMs) throw error;
      await delay(READY_POLL_MS);
    }
  }
}
