import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { Running } from '@runlog/service-kit/lifecycle';
import type { PinoLogger } from '@runlog/service-kit/logger';
import { AggregatorRegistry } from '@runlog/service-kit/metrics';
import type { IngestConfig } from '../config.ts';
import { type PrimaryMessage, workerMessage } from './worker-messages.ts';

/** How long a worker that was killed stays away, so that one that is killed again and again costs little. */
const BEGIN_AGAIN_MS = 1_000;

/** Whether one process begins others instead of serving by itself. */
export function wantsWorkers({ workers }: Pick<IngestConfig, 'workers'>): boolean {
  return workers > 1;
}

/**
 * Begins so many processes of ingest, which share one port: this process accepts connections and deals them out in turn.
 * It keeps the number of workers. A worker that is killed by a signal (no memory left, an operator) is replaced. One that
 * ends by itself does so for a reason that would end each of them, and has said it: all end.
 */
export async function startWorkers(options: {
  config: Pick<IngestConfig, 'workers' | 'host' | 'port'>;
  logger: PinoLogger;
  /** Stops this process after a fault. */
  fail: (error: unknown) => void;
}): Promise<Running> {
  const { logger } = options;
  const { workers: count, host } = options.config;
  const metrics = new AggregatorRegistry();
  let isStopping = false;
  let isListening = false;
  let addresses: Readonly<Record<string, string>> = {};
  let isReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });
  const readyOnes = new Set<number>();
  cluster.schedulingPolicy = cluster.SCHED_RR;

  cluster.on('message', (worker, message: unknown) => {
    const read = workerMessage.safeParse(message);
    if (!read.success) return;
    switch (read.data.runlog) {
      case 'ready':
        addresses = read.data.addresses;
        readyOnes.add(worker.id);
        if (readyOnes.size >= count) isReady();
        return;
      case 'metrics_asked': {
        const { id } = read.data;
        void metrics.clusterMetrics().then(
          (text) => tell(worker, { runlog: 'metrics', id, text }),
          () => tell(worker, { runlog: 'metrics', id, text: null }),
        );
        return;
      }
      case 'spent':
        for (const other of workers()) if (other !== worker) tell(other, read.data);
        return;
      default: {
        const unreachable: never = read.data;
        throw new Error(`unknown message ${JSON.stringify(unreachable)}`);
      }
    }
  });
  cluster.on('exit', (worker, code, signal) => {
    readyOnes.delete(worker.id);
    if (isStopping) return;
    if (signal === null && code !== 0) {
      // Nothing has worked yet, and the worker has said why on stderr.
      if (!isListening) process.exit(code);
      options.fail(new Error(`worker ${worker.id} has ended by itself with exit code ${code}`));
      return;
    }
    logger.warn({ worker: worker.id, signal }, 'a worker was ended; another one begins');
    setTimeout(() => {
      if (!isStopping) begin();
    }, BEGIN_AGAIN_MS).unref();
  });

  const port = options.config.port === 0 ? await freePort(host) : options.config.port;
  const begin = () => {
    const worker = cluster.fork({ RUNLOG_INGEST_PORT: String(port) });
    logger.info({ worker: worker.id, workerPid: worker.process.pid }, 'a worker begins');
    return worker;
  };
  // The others begin once the first listens: a port that is taken or a wrong key file is then said once.
  const first = begin();
  await once(first, 'listening');
  isListening = true;
  for (let begun = 1; begun < count; begun += 1) begin();
  return {
    get addresses() {
      return addresses;
    },
    ready,
    async [Symbol.asyncDispose]() {
      isStopping = true;
      await Promise.all(workers().map(stop));
    },
  };
}

/**
 * Node would give a worker another port if it begins when no other one lives. Somebody may take this one before the first
 * worker does, which is then said as any port that is in use.
 */
async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function workers(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
}

/** Resolves when the worker has drained and ended, or at once if it has ended before. */
async function stop(worker: Worker): Promise<void> {
  if (worker.isDead()) return;
  const ended = once(worker, 'exit');
  worker.process.kill('SIGTERM');
  await ended;
}

function tell(worker: Worker, message: PrimaryMessage): void {
  if (worker.isConnected()) worker.send(message);
}
