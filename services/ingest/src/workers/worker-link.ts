import type { Worker } from 'node:cluster';
import { AggregatorRegistry, type MetricsLink } from '@runlog/service-kit/metrics';
import type { ServiceWorker } from '@runlog/service-kit/run-service';
import type { QuotaExchange } from '../quota-exchange.ts';
import { primaryMessage, type Spent, type WorkerMessage } from './worker-messages.ts';

/**
 * How long spent tokens wait to be told. For so long several workers may admit what one would have refused; the debt that
 * follows is the same, so the average rate is kept.
 */
const TELL_INTERVAL_MS = 50;
/** At this number of untold buckets they are told at once. */
const UNTOLD_MAX = 1_024;
/** The primary itself waits 5 s for the workers. */
const METRICS_MS_MAX = 6_000;

/** How a worker of `RUNLOG_WORKERS` reaches the others. */
export interface WorkerLink extends ServiceWorker, MetricsLink {
  readonly quotas: QuotaExchange;
}

/** Connects this process, which is a worker, with the process that began it. */
export function linkToPrimary(worker: Worker): WorkerLink {
  const untold = new Map<string, Spent>();
  const asked = new Map<number, (text: string | null) => void>();
  let spentElsewhere: (spent: Spent) => void = () => undefined;
  let lastId = 0;
  let telling: NodeJS.Timeout | null = null;
  // Without the primary there is nobody to tell; Node then ends this process by itself.
  const send = (message: WorkerMessage) => {
    if (worker.isConnected()) worker.send(message);
  };
  const tell = () => {
    if (telling !== null) clearTimeout(telling);
    telling = null;
    if (untold.size === 0) return;
    send({ runlog: 'spent', spent: [...untold.values()] });
    untold.clear();
  };
  process.on('message', (message) => {
    const read = primaryMessage.safeParse(message);
    if (!read.success) return;
    switch (read.data.runlog) {
      case 'metrics':
        asked.get(read.data.id)?.(read.data.text);
        return;
      case 'spent':
        for (const spent of read.data.spent) spentElsewhere(spent);
        return;
      default: {
        const unreachable: never = read.data;
        throw new Error(`unknown message ${JSON.stringify(unreachable)}`);
      }
    }
  });
  return {
    number: worker.id,
    quotas: {
      spent: (spent) => {
        const name = `${spent.quota} ${spent.perSecond} ${spent.name}`;
        const amount = (untold.get(name)?.amount ?? 0) + spent.amount;
        untold.set(name, { ...spent, amount });
        if (untold.size >= UNTOLD_MAX) tell();
        else telling ??= setTimeout(tell, TELL_INTERVAL_MS).unref();
      },
      onSpentElsewhere: (listener) => {
        spentElsewhere = listener;
      },
    },
    ready: (addresses) => send({ runlog: 'ready', addresses: { ...addresses } }),
    offerMetrics: (registries) => {
      AggregatorRegistry.setRegistries([...registries]);
      // Its making has this process answer the primary when that collects.
      new AggregatorRegistry();
    },
    metricsOfAll: () =>
      new Promise((resolve) => {
        lastId += 1;
        const id = lastId;
        const settle = (text: string | null) => {
          clearTimeout(timer);
          asked.delete(id);
          resolve(text);
        };
        const timer = setTimeout(settle, METRICS_MS_MAX, null).unref();
        asked.set(id, settle);
        send({ runlog: 'metrics_asked', id });
      }),
  };
}
