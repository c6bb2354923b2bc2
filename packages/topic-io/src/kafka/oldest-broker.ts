import type { Broker } from 'kafkajs/src/broker/index.js';
import { addressOf } from './broker-address.ts';
import { KAFKA, KafkaFault } from './faults.ts';

const FETCH = 1;
/** The first version of Fetch that says from which replica to read. Everything else that is needed is older. */
const FETCH_VERSION = 11;

/** Rejects a broker that is too old to be read from, which waiting does not mend. */
export function refuseOldBroker(broker: Broker): void {
  const offered = broker.versions?.[FETCH]?.maxVersion;
  if (offered === undefined || offered >= FETCH_VERSION) return;
  throw new KafkaFault(
    KAFKA.unsupportedVersion,
    `the broker ${addressOf(broker.connectionPool)} is older than Kafka 2.3, the oldest that runlog works with: update it`,
  );
}
