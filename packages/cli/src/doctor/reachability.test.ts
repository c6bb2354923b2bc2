import type { ReachedBroker } from '@runlog/topic-io/kafka/inspect-broker';
import { expect, it } from 'vitest';
import { judgeReach, nodesReached } from './reachability.ts';

const open = { tls: false, mechanism: null, principal: 'User:ANONYMOUS' };

/** A broker that names two brokers, of which it is the first. */
function reached(address: string, clusterId = 'c', controllerId = 1): ReachedBroker {
  const brokers = [
    { nodeId: 1, address: 'a:1' },
    { nodeId: 2, address: 'inside:2' },
  ];
  return { kind: 'reached', address, offered: {}, elapsedMs: 1, sight: { clusterId, controllerId, brokers } };
}

const unreached = (address: string): ReachedBroker => ({
  ...{ kind: 'unreached', address, step: 'connect', reason: `${address}: nothing listens there` },
});

it('says whose address it is that cannot be reached, and what to change', () => {
  const reaching = { given: [reached('a:1')], advertised: [{ nodeId: 2, broker: unreached('inside:2') }] };
  const [given, advertised] = judgeReach(reaching, open);
  expect(given).toMatchObject({ status: 'ok', name: 'a:1' });
  expect(advertised).toMatchObject({ status: 'failed', name: 'inside:2' });
  expect(advertised?.message).toMatch(
    /^broker 2 .* a:1 gives for it: nothing listens there\. Set advertised\.listeners/,
  );
  expect([...nodesReached(reaching)]).toEqual([1]);
});

it('knows no broker by an address that the cluster does not give', () => {
  expect([...nodesReached({ given: [reached('balancer:1')], advertised: [] })]).toEqual([]);
});

it('finds addresses of two clusters, and a cluster without a controller', () => {
  const two = judgeReach({ given: [reached('a:1', 'c'), reached('b:1', 'd')], advertised: [] }, open);
  expect(two.at(-1)).toMatchObject({ status: 'failed', name: 'cluster' });
  const headless = judgeReach({ given: [reached('a:1', 'c', -1)], advertised: [] }, open);
  expect(headless.at(-1)).toMatchObject({ status: 'failed', name: 'cluster' });
});
