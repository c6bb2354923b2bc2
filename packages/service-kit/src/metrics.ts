import { type Counter, collectDefaultMetrics, Registry } from 'prom-client';
import type { FastifyInstance, FastifyRequest } from './http-server.ts';

export { Counter, Gauge, Histogram, Registry } from 'prom-client';

/**
 * The number of clusters that get a line of their own. The rest count as `other`, so that no client can make the answer
 * grow without bound.
 */
const LABELLED_CLUSTERS_MAX = 100;

/** The metrics of the process, whichever services run in it. They are created on first use. */
let processMetrics: Registry | undefined;

/**
 * Adds `GET /metrics`, which serves the service's own figures and those of its process in the Prometheus text format.
 */
export function addMetricsRoute(
  server: FastifyInstance,
  options: { registry: Registry; allow?: (request: FastifyRequest) => void },
): void {
  if (processMetrics === undefined) {
    processMetrics = new Registry();
    collectDefaultMetrics({ register: processMetrics });
  }
  const all = Registry.merge([options.registry, processMetrics]);
  server.get('/metrics', async (request, reply) => {
    options.allow?.(request);
    const text = await all.metrics();
    return reply.header('content-type', all.contentType).header('cache-control', 'no-store').send(text);
  });
}

/** A counter by cluster with a bounded number of lines. */
export class ClusterCounter {
  readonly #counter: Counter<'cluster'>;
  readonly #lines = new Map<string, Counter.Internal>();

  constructor(counter: Counter<'cluster'>) {
    this.#counter = counter;
  }

  add(cluster: string, value: number): void {
    const name = this.#lines.has(cluster) || this.#lines.size < LABELLED_CLUSTERS_MAX ? cluster : 'other';
    let line = this.#lines.get(name);
    if (line === undefined) {
      line = this.#counter.labels({ cluster: name });
      this.#lines.set(name, line);
    }
    line.inc(value);
  }
}
