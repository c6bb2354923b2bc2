import { afterAll, beforeAll } from 'vitest';
import { ProxiedBroker } from './proxied-broker.ts';

/**
 * Starts two brokers behind proxies for the tests of a suite: one whose leaders verify that a partition belongs to a
 * transaction (`transaction.partition.verification.enable`), and one whose leaders do not. Returns how to get each.
 */
export function proxiedBrokers(): (verification: boolean) => ProxiedBroker {
  const brokers = new Map<boolean, ProxiedBroker>();

  beforeAll(async () => {
    const start = async (verification: boolean) =>
      brokers.set(verification, await ProxiedBroker.start({ verification }));
    await Promise.all([true, false].map(start));
  });

  afterAll(async () => {
    await Promise.all([...brokers.values()].map((broker) => broker[Symbol.asyncDispose]()));
  });

  return (verification) => brokers.get(verification)!;
}
