import { readFileSync } from 'node:fs';
import { createAggregatorMetrics } from '@runlog/aggregator/aggregator-metrics';
import { createGatewayMetrics } from '@runlog/gateway/gateway-metrics';
import { createIngestMetrics } from '@runlog/ingest/ingest-metrics';
import { expect, it } from 'vitest';

const none = () => 0;
const registries = [
  createIngestMetrics({ bytesInFlight: none, rejectedLost: none, isOlder: () => false }),
  createAggregatorMetrics({ isStalled: () => false, heldBackRecords: () => 0 }),
  createGatewayMetrics({
    connections: () => ({ websocket: 0, sse: 0, lagging: 0 }),
    bytesSent: none,
    hub: () => null,
    runs: none,
    feed: {
      state: () => ({ state: 'live' }),
      health: () => ({ state: 'live', behind_records: 0 }),
      lastRecordMs: () => null,
      unreadableBatches: none,
    },
  }),
].map(({ registry }) => registry);

it('docs/operations.md lists every metric of every service, with its type and its help, and no other', () => {
  const registered = registries.flatMap((registry) =>
    registry.getMetricsAsArray().map((metric) => {
      const { name, help, type } = metric as unknown as { name: string; help: string; type: string };
      return `| \`${name}\` | ${type} | ${help} |`;
    }),
  );
  const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const documented = text.split('\n').filter((line) => line.startsWith('| `runlog_'));
  expect(documented.toSorted()).toEqual(registered.toSorted());
  expect(registered.length).toBeGreaterThan(20);
});
