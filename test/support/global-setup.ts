import type { TestProject } from 'vitest/node';
import { startBroker } from './broker.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** `host:port` of the broker that the integration tests share. */
    kafkaBrokers: readonly string[];
  }
}

/** One broker for all integration tests; tests keep apart by the names of their topics. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const broker = await startBroker();
  process.stdout.write(`kafka for tests: ${broker.way}, ${broker.brokers.join(', ')}\n`);
  project.provide('kafkaBrokers', broker.brokers);
  return () => broker.stop();
}
