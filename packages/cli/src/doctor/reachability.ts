import type { KafkaOptions } from '@runlog/topic-io/kafka/config';
import { type ReachedBroker, reachBroker } from '@runlog/topic-io/kafka/inspect-broker';
import { type Finding, findingsOf } from './finding.ts';

const { ok, failed } = findingsOf('reachability');

type Reached = Extract<ReachedBroker, { kind: 'reached' }>;

/** More brokers than these are not gone to one by one. */
const ADVERTISED_MAX = 50;

export interface Reaching {
  /** The brokers at the addresses that this process was given. */
  readonly given: readonly ReachedBroker[];
  /** Those that the cluster names beside them, by the number of each. */
  readonly advertised: readonly { readonly nodeId: number; readonly broker: ReachedBroker }[];
}

/** Goes to each address that is given, and then to each that the cluster names. */
export async function reachAll(kafka: KafkaOptions): Promise<Reaching> {
  const addresses = [...new Set(kafka.brokers)];
  const given = await Promise.all(addresses.map((address) => reachBroker(address, kafka)));
  const named = new Map<string, number>();
  for (const { sight } of given.filter(isReached)) {
    for (const { nodeId, address } of sight.brokers) named.set(address, nodeId);
  }
  const others = [...named].filter(([address]) => !addresses.includes(address)).slice(0, ADVERTISED_MAX);
  const advertised = await Promise.all(
    others.map(async ([address, nodeId]) => ({ nodeId, broker: await reachBroker(address, kafka) })),
  );
  return { given, advertised };
}

export function isReached(broker: ReachedBroker): broker is Reached {
  return broker.kind === 'reached';
}

/** The numbers of the brokers that answer. */
export function nodesReached({ given, advertised }: Reaching): ReadonlySet<number> {
  const told = given.filter(isReached);
  const nodes = told.map(({ address }) => nodeAt(told, address)).filter((node) => node !== null);
  return new Set([
    ...nodes,
    ...advertised.filter(({ broker }) => isReached(broker)).map(({ nodeId }) => nodeId),
  ]);
}

/** How connections are protected, for a person: `TLS, SCRAM-SHA-256 as User:ada`. */
export interface Protection {
  readonly tls: boolean;
  readonly mechanism: string | null;
  readonly principal: string | null;
}

export function judgeReach({ given, advertised }: Reaching, protection: Protection): Finding[] {
  const told = given.filter(isReached);
  const tellers = told.map(({ address }) => address).join(', ');
  return [
    ...given.map((broker) => {
      if (!isReached(broker))
        return failed(broker.address, reasonOf(broker), { details: { step: broker.step } });
      return answers(broker, nodeAt(told, broker.address), protection);
    }),
    ...advertised.map(({ nodeId, broker }) => {
      if (isReached(broker)) return answers(broker, nodeId, protection);
      const message =
        `broker ${nodeId} cannot be reached at the address that ${tellers} gives for it: ${reasonOf(broker)}. Set ` +
        `advertised.listeners of broker ${nodeId} to an address that clients here can reach, or start it`;
      return failed(broker.address, message, { details: { step: broker.step, broker: nodeId } });
    }),
    ...judgeCluster(told),
  ];
}

/** The reason, without the address that it may begin with. */
function reasonOf({ address, reason }: Extract<ReachedBroker, { kind: 'unreached' }>): string {
  return reason.startsWith(`${address}: `) ? reason.slice(address.length + 2) : reason;
}

function answers(
  { address, elapsedMs }: Reached,
  nodeId: number | null,
  { tls, mechanism, principal }: Protection,
): Finding {
  const ways = [tls ? 'TLS' : 'no TLS', mechanism === null ? 'no SASL' : mechanism.toUpperCase()].join(', ');
  const who = principal === null ? '' : ` as ${principal}`;
  const which = nodeId === null ? 'it' : `broker ${nodeId}`;
  return ok(address, `${which} answers after ${elapsedMs} ms (${ways}${who})`, {
    details: { elapsedMs, ...(nodeId === null ? {} : { broker: nodeId }) },
  });
}

function nodeAt(told: readonly Reached[], address: string): number | null {
  const named = told.flatMap(({ sight }) => sight.brokers);
  return named.find((broker) => broker.address === address)?.nodeId ?? null;
}

function judgeCluster(told: readonly Reached[]): Finding[] {
  const [first] = told;
  if (first === undefined) return [];
  const ids = [...new Set(told.map(({ sight }) => sight.clusterId))];
  if (ids.length > 1) {
    const places = told.map(({ address, sight }) => `${address} is of ${sight.clusterId}`).join(', ');
    return [failed('cluster', `KAFKA_BROKERS names brokers of ${ids.length} clusters: ${places}`)];
  }
  const { clusterId, controllerId, brokers } = first.sight;
  if (controllerId < 0)
    return [failed('cluster', `the cluster ${clusterId} has no controller at the moment`)];
  const count = brokers.length === 1 ? '1 broker' : `${brokers.length} brokers`;
  return [ok('cluster', `${clusterId}, ${count}`, { details: { clusterId, brokers: brokers.length } })];
}
