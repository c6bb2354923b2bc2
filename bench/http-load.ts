/**
 * A load generator in a process of its own. Keep-alive connections post bodies of numbered events, or of OTLP's log records, each as soon
 * as the previous one is answered, or at a given rate. It takes its task from argv and answers with one JSON line.
 */
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { otlpBodiesOf } from './otlp-bodies.ts';
import { eventsOf, nextBody } from './sample-events.ts';

export interface LoadOptions {
  readonly url: string;
  readonly connections: number;
  readonly eventsPerBody: number;
  readonly seconds: number;
  /** 0 means as fast as possible. */
  readonly eventsPerSecond: number;
  readonly format: 'ndjson' | 'otlp';
  /** The number of the first connection's run. Each connection posts one run. */
  readonly firstRun: number;
}

export interface LoadResult {
  readonly accepted: number;
  readonly seconds: number;
  readonly bodyBytes: number;
  /** The latency of a whole request, in milliseconds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly refused: number;
  /** The CPU time of this process, including the making of the events. */
  readonly cpuMicros: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as LoadOptions;
const { url, connections, eventsPerBody, seconds, eventsPerSecond, firstRun, format } = options;
const agent = new Agent({ keepAlive: true, maxSockets: connections });
const takenMs: number[] = [];
let accepted = 0;
let refused = 0;
let bodyBytes = 0;

const doors = {
  ndjson: {
    path: '/v1/events',
    contentType: 'application/x-ndjson',
    accepted: (text: string) => (JSON.parse(text) as { accepted: number }).accepted,
  },
  // An empty answer says that all are stored.
  otlp: {
    path: '/v1/logs',
    contentType: 'application/x-protobuf',
    accepted: (text: string) => (text === '' ? eventsPerBody : 0),
  },
} as const;

function bodiesOf(run: number): () => Buffer {
  if (format === 'otlp') {
    const bodies = otlpBodiesOf(run, eventsPerBody);
    return () => bodies.next();
  }
  const source = eventsOf(run);
  return () => nextBody(source, eventsPerBody);
}

function post(body: Buffer): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${url}${doors[format].path}`,
      {
        agent,
        method: 'POST',
        headers: { 'content-type': doors[format].contentType, 'content-length': body.length },
      },
      (answer) => {
        let text = '';
        answer.setEncoding('latin1');
        answer.on('data', (chunk: string) => (text += chunk));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
        answer.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

const fromMs = performance.now();
const cpuFrom = process.cpuUsage();
const endMs = fromMs + seconds * 1_000;
const intervalMs = eventsPerSecond === 0 ? 0 : (1_000 * eventsPerBody * connections) / eventsPerSecond;

async function connection(index: number): Promise<void> {
  const next = bodiesOf(firstRun + index);
  let dueMs = fromMs + (intervalMs * index) / connections;
  while (performance.now() < endMs) {
    const body = next();
    if (intervalMs > 0) {
      dueMs += intervalMs;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await delay(waitMs);
    }
    const sentMs = performance.now();
    const { status, text } = await post(body);
    takenMs.push(performance.now() - sentMs);
    bodyBytes += body.length;
    if (status === 200) accepted += doors[format].accepted(text);
    else refused += 1;
  }
}

await Promise.all(Array.from({ length: connections }, (_, index) => connection(index)));
const tookMs = performance.now() - fromMs;
const cpu = process.cpuUsage(cpuFrom);
agent.destroy();
takenMs.sort((a, b) => a - b);
const at = (share: number) => takenMs[Math.min(takenMs.length - 1, Math.floor(share * takenMs.length))] ?? 0;
const result: LoadResult = {
  accepted,
  refused,
  bodyBytes,
  seconds: tookMs / 1_000,
  p50Ms: at(0.5),
  p99Ms: at(0.99),
  cpuMicros: cpu.user + cpu.system,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
