import { randomBytes } from 'node:crypto';
import type { TestProject } from 'vitest/node';
import { startBroker } from './broker.ts';
import { listRemains } from './broker-remains.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** `host:port` of the broker that the integration tests share. */
    kafkaBrokers: readonly string[];
    /** The prefix of every name that this run makes on the broker (`uniqueName`). */
    runPrefix: string;
  }
}

/** Starts one broker for all integration tests. Tests are separated by the names of their topics. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const runPrefix = `runlog-test-${randomBytes(4).toString('hex')}-`;
  const broker = await startBroker(runPrefix);
  process.stdout.write(`kafka for tests: ${broker.way}, ${broker.brokers.join(', ')}\n`);
  project.provide('kafkaBrokers', broker.brokers);
  project.provide('runPrefix', runPrefix);
  return async () => {
    try {
      await using _ = broker;
      // A lent broker also holds names of others.
      if (broker.way !== 'lent') await refuseOtherNames(broker.brokers, runPrefix);
    } catch (error) {
      // vitest prints it, and its exit code would still be that of the tests.
      process.exitCode = 1;
      throw error;
    }
  };
}

/** Rejects if a test used a name without the prefix, which would remain on a lent broker. */
async function refuseOtherNames(brokers: readonly string[], runPrefix: string): Promise<void> {
  const { topics, groups } = await listRemains(brokers);
  const others = [...topics, ...groups].filter((name) => !name.startsWith(runPrefix));
  if (others.length === 0) return;
  throw new Error(`tests have named topics or groups without uniqueName: ${others.join(', ')}`);
}
