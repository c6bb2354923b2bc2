import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { type IngestResponse, ingestResponseSchema } from '@runlog/schema/http/ingest-api';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import { describe, expect, it } from 'vitest';
import { startCluster } from '../support/broker.ts';
import { EmbeddedIngest, noteText } from '../support/embedded-ingest.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';

const PAUSE_MS = 60_000;
const PARTITIONS = 3;
const CLIENTS = 40;
const EVENTS_PER_BODY = 200;
const MIB = 1024 * 1024;

/** Clients that send body after body, and the answers of ingest. */
class Publishers {
  readonly acknowledged = new Set<string>();
  readonly statuses = new Map<number, number>();
  readonly #url: string;
  readonly #stop = new AbortController();
  /** The number of bodies that each client has begun to send. */
  readonly #begun: number[];
  readonly #clients: Promise<void>[];

  constructor(url: string, clients: number) {
    this.#url = url;
    this.#begun = Array.from({ length: clients }, () => 0);
    this.#clients = this.#begun.map((_, client) => this.#publish(client));
  }

  /** Returns a function that says later whether every body that is in flight now has been answered. */
  underWayNow(): () => boolean {
    const begun = [...this.#begun];
    return () => this.#begun.every((bodies, client) => bodies > begun[client]!);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#clients);
  }

  async #publish(client: number): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const ids = Array.from({ length: EVENTS_PER_BODY }, () => randomBytes(8).toString('hex'));
      const message = 'x'.repeat(1_500);
      const body = ids.map((id) => noteText({ event_id: id, run_id: `run-${client}`, message })).join('\n');
      this.#begun[client]! += 1;
      const response = await fetch(`${this.#url}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body,
      });
      this.statuses.set(response.status, (this.statuses.get(response.status) ?? 0) + 1);
      const answer = (await response.json()) as unknown;
      if (response.status === 200) this.#note(ids, ingestResponseSchema.parse(answer));
    }
  }

  #note(ids: readonly string[], answer: IngestResponse): void {
    const again = new Set<number>();
    for (const [first, last] of answer.retry_indexes) for (let at = first; at <= last; at += 1) again.add(at);
    for (const [at, id] of ids.entries()) if (!again.has(at)) this.acknowledged.add(id);
  }
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  if (line === undefined) throw new Error(`there is no metric ${name}`);
  return Number(line.split(' ')[1]);
}

describe('backpressure', () => {
  it('a broker that is paused for a minute causes no false 200, memory stays bounded, and ingest recovers by itself', async () => {
    await using cluster = await startCluster({ count: 1 });
    const prefix = 'backpressure.';
    await using ingest = await ServiceProcess.start('ingest', {
      KAFKA_BROKERS: cluster.brokers.join(','),
      RUNLOG_TOPIC_PREFIX: prefix,
      RUNLOG_PARTITIONS: String(PARTITIONS),
    });
    const url = ingest.addresses.ingest!;
    const publishers = new Publishers(url, CLIENTS);
    await expect.poll(() => publishers.acknowledged.size).toBeGreaterThan(20_000);
    const residentBefore = await metric(url, 'process_resident_memory_bytes');

    await cluster.kill(0, 'SIGSTOP');
    const pausedAtMs = performance.now();
    const isAnswered = publishers.underWayNow();
    // Events that were appended just before may still be acknowledged, perhaps one part of a body while the other part
    // fails.
    let acknowledgedAtLast: number | null = null;
    let residentMax = 0;
    let inFlightMax = 0;
    await expect
      .poll(
        async () => {
          residentMax = Math.max(residentMax, await metric(url, 'process_resident_memory_bytes'));
          if (isAnswered()) acknowledgedAtLast ??= publishers.acknowledged.size;
          inFlightMax = Math.max(inFlightMax, await metric(url, 'runlog_ingest_in_flight_bytes'));
          return performance.now() - pausedAtMs;
        },
        { timeout: PAUSE_MS + 120_000, interval: 500 },
      )
      .toBeGreaterThan(PAUSE_MS);
    // After that, nothing more is acknowledged.
    expect(acknowledgedAtLast).not.toBeNull();
    expect(publishers.acknowledged.size).toBe(acknowledgedAtLast);
    expect([...publishers.statuses.keys()].sort()).toEqual([200, 503]);
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect(inFlightMax).toBeLessThanOrEqual(64 * MIB);
    expect(residentMax - residentBefore).toBeLessThan(400 * MIB);

    await cluster.kill(0, 'SIGCONT');
    await expect.poll(() => publishers.acknowledged.size).toBeGreaterThan(acknowledgedAtLast!);
    await publishers.stop();
    await expect.poll(async () => (await fetch(`${url}/readyz`)).status).toBe(200);
    expect(await ingest.end('SIGTERM')).toBe(0);

    await using io = await openKafka({
      brokers: cluster.brokers,
      clientId: 'backpressure',
      logger: silentLogger,
    });
    const lost = new Set(publishers.acknowledged);
    await readToEnd(io, {
      topic: `${prefix}run-events`,
      partitions: Array.from({ length: PARTITIONS }, (_, partition) => partition),
      onRecords: (records) => {
        for (const { headers } of records) lost.delete(headers.event_id ?? '');
      },
    });
    expect(lost).toEqual(new Set());
  });

  it('bodies that are announced and do not arrive hold no more than the budget, and others are told when to retry', async () => {
    await using ingest = await EmbeddedIngest.start();
    const { port } = new URL(ingest.url);
    const sockets = Array.from({ length: 16 }, () => connect({ host: '127.0.0.1', port: Number(port) }));
    // They are awaited together, because they may be connected in any order.
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      const head = 'POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
      socket.write(`${head}content-length: ${4 * MIB}\r\n\r\n[`);
    }
    const held = () => metric(ingest.url, 'runlog_ingest_in_flight_bytes');
    await expect.poll(held).toBe(64 * MIB);
    const refused = await ingest.post();
    expect([refused.status, await refused.json()]).toMatchObject([503, { error: { code: 'overloaded' } }]);
    expect(refused.headers.get('retry-after')).toMatch(/^[1-4]$/);
    expect((await fetch(`${ingest.url}/readyz`)).status).toBe(200);
    // Once the budget was full, it stays closed until a quarter is free.
    for (const socket of sockets.slice(0, 2)) socket.destroy();
    await expect.poll(held).toBe(56 * MIB);
    expect((await ingest.post()).status).toBe(503);
    for (const socket of sockets.slice(2, 5)) socket.destroy();
    await expect.poll(held).toBe(44 * MIB);
    expect((await ingest.post()).status).toBe(200);
    for (const socket of sockets) socket.destroy();
    await expect.poll(held).toBe(0);
  });
});
