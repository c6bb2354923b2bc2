import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import type { Broker } from 'kafkajs/src/broker/index.js';
import { messageOf } from '../error-message.ts';
import { withinMs } from '../within-ms.ts';
import { addressOf, splitAddress } from './broker-address.ts';
import type { KafkaOptions } from './config.ts';
import { toKafkaFault } from './faults.ts';
import { refuseOldBroker } from './oldest-broker.ts';
import { patchKafkajs } from './patches.ts';
import { Reachability } from './reachability.ts';
import { type Identity, principalOf, remedyFor } from './remedies.ts';
import { KafkaSecurity } from './security.ts';
import { identityOf, KafkaSession } from './session.ts';

/** The steps to an answer, in their order. The last includes TLS and SASL where they are used. */
export type ReachStep = 'resolve' | 'connect' | 'answer';

/** The requests that a broker takes, by Kafka's number of each, in their versions. */
export type OfferedVersions = Readonly<
  Record<number, { readonly minVersion: number; readonly maxVersion: number } | undefined>
>;

export interface AdvertisedBroker {
  readonly nodeId: number;
  readonly address: string;
}

/** What one broker says of its cluster. */
export interface ClusterSight {
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly brokers: readonly AdvertisedBroker[];
}

export type ReachedBroker =
  | {
      readonly kind: 'reached';
      readonly address: string;
      readonly offered: OfferedVersions;
      readonly sight: ClusterSight;
      readonly elapsedMs: number;
    }
  | {
      readonly kind: 'unreached';
      readonly address: string;
      /** The first step that failed. */
      readonly step: ReachStep;
      readonly reason: string;
    };

/** The bounds of each step, in milliseconds. */
export const REACH_BOUNDS = { resolveMs: 3_000, connectMs: 3_000, answerMs: 6_000 } as const;

/** Returns how the brokers name this process, such as `User:ada`; null if only they know. */
export function principalFor(kafka: KafkaOptions): string | null {
  return principalOf(identityOf(kafka));
}

/** Goes to one address alone, step by step, as a client would. Never rejects, and ends within the bounds. */
export async function reachBroker(address: string, kafka: KafkaOptions): Promise<ReachedBroker> {
  patchKafkajs();
  const startedMs = performance.now();
  const { host, port } = splitAddress(address);
  const unreached = (step: ReachStep, reason: string) =>
    ({ kind: 'unreached', address, step, reason }) as const;
  try {
    if (isIP(host) === 0)
      await withinMs(REACH_BOUNDS.resolveMs, lookup(host), () => new Error('no answer of the name service'));
  } catch (error) {
    return unreached('resolve', `the name ${host} does not resolve (${messageOf(error)})`);
  }
  try {
    await connects(host, port);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ECONNREFUSED' ? 'nothing listens there' : 'no connection comes about';
    return unreached('connect', `${why} (${messageOf(error)})`);
  }
  const security = new KafkaSecurity(kafka);
  const session = new KafkaSession({
    kafka: { ...kafka, brokers: [address] },
    security,
    reachability: new Reachability({ ...kafka, brokers: kafka.brokers }),
    requestTimeoutMs: REACH_BOUNDS.answerMs,
  });
  try {
    const { broker, sight } = await withinMs(
      REACH_BOUNDS.answerMs,
      session.once(() => look(session)),
      () => new Error('it takes the connection and does not answer'),
    );
    return {
      ...{ kind: 'reached', address, offered: broker.versions ?? {}, sight },
      elapsedMs: Math.round(performance.now() - startedMs),
    };
  } catch (error) {
    return unreached('answer', explained(error, identityOf({ ...kafka, brokers: [address] })));
  } finally {
    await session.close({ abrupt: true });
  }
}

/** Asks nobody else: the cluster may name brokers that cannot be reached from here. */
async function look(session: KafkaSession): Promise<{ broker: Broker; sight: ClusterSight }> {
  const { broker, metadata } = session.found();
  refuseOldBroker(broker);
  const { clusterId, controllerId, brokers } = metadata;
  return {
    broker,
    sight: {
      ...{ clusterId, controllerId },
      brokers: brokers.map(({ nodeId, host, port }) => ({ nodeId, address: addressOf({ host, port }) })),
    },
  };
}

function explained(error: unknown, identity: Identity): string {
  const fault = toKafkaFault(error);
  const remedy = remedyFor(fault, identity);
  return remedy === null ? fault.message : `${fault.message}; ${remedy}`;
}

async function connects(host: string, port: number): Promise<void> {
  const socket = connect({ host, port });
  try {
    await withinMs(
      REACH_BOUNDS.connectMs,
      new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject)),
      () => new Error(`no answer within ${REACH_BOUNDS.connectMs} ms`),
    );
  } finally {
    socket.on('error', () => undefined).destroy();
  }
}
