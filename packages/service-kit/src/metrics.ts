import { Counter, collectDefaultMetrics, Registry } from 'prom-client';
import type { FastifyInstance, FastifyRequest } from './http-server.ts';
import { linesDropped } from './standard-streams.ts';

export { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from 'prom-client';

/**
 * The number of clusters that get a line of their own. The rest count as `other`, so that no client can make the answer
 * grow without bound.
 */
const LABELLED_CLUSTERS_MAX = 100;

/** Brings together the figures of several processes, each with the label `worker`. */
export interface MetricsLink {
  readonly number: number;
  /** Makes these registries part of what every process serves. */
  readonly offerMetrics: (registries: readonly Registry[]) => void;
  /** The figures of all, or null if they cannot be had in time. */
  readonly metricsOfAll: () => Promise<string | null>;
}

/** The metrics of the process, whichever services run in it. They are created on first use. */
let processMetrics: Registry | undefined;

/**
 * Adds `GET /metrics`, which serves the service's own figures and those of its process in the Prometheus text format.
 */
export function addMetricsRoute(
  server: FastifyInstance,
  options: {
    registry: Registry;
    allow?: (request: FastifyRequest) => void;
    /** Of several processes of a service, each serves the figures of all. */
    link?: MetricsLink | undefined;
  },
): void {
  if (processMetrics === undefined) {
    processMetrics = new Registry();
    collectDefaultMetrics({ register: processMetrics });
    new Counter({
      name: 'runlog_log_lines_dropped_total',
      help: 'Lines of the log that could not be written: no reader, a full pipe, a full disk',
      registers: [processMetrics],
      collect() {
        this.reset();
        this.inc(linesDropped());
      },
    });
  }
  const own = [options.registry, processMetrics];
  const all = Registry.merge(own);
  const { link } = options;
  // A sum would fall when a worker is replaced, and a rate would take what is left for new.
  if (link !== undefined) for (const each of own) each.setDefaultLabels({ worker: String(link.number) });
  link?.offerMetrics(own);
  server.get('/metrics', async (request, reply) => {
    options.allow?.(request);
    const text = (await link?.metricsOfAll()) ?? (await all.metrics());
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
