import { setTimeout as delay } from 'node:timers/promises';
import { createStreamClient } from '@runlog/client/stream-client';
import type { DeliveredEntry } from '@runlog/schema/run/snapshot';
import { expect, inject, it } from 'vitest';
import { WebSocket } from 'ws';
import { startCli } from '../support/cli-process.ts';
import { noteText } from '../support/embedded-ingest.ts';
import { freePort } from '../support/free-ports.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { uniqueName } from '../support/unique-name.ts';

const RUN = 'local/r1/default';
const KILLS = 3;
const EVENTS_PER_BODY = 50;
const BODY_EVERY_MS = 50;

/** Publishes 1,000 events a second, numbered, until it is told to stop. */
class Publisher {
  #published = 0;
  #isOver = false;
  readonly #running: Promise<void>;

  constructor(ingest: string) {
    this.#running = this.#run(ingest);
  }

  get published(): number {
    return this.#published;
  }

  /** Ends with the end of the run, and returns the number of events. */
  async finish(): Promise<number> {
    this.#isOver = true;
    await this.#running;
    return this.#published;
  }

  async #run(ingest: string): Promise<void> {
    let dueMs = performance.now();
    while (!this.#isOver) {
      const bodies = Array.from({ length: EVENTS_PER_BODY }, () => this.#event({}));
      await post(ingest, bodies);
      dueMs += BODY_EVERY_MS;
      await delay(Math.max(0, dueMs - performance.now()));
    }
    await post(ingest, [this.#event({ event_type: 'RUN_FINISHED' })]);
  }

  #event(overrides: object): string {
    this.#published += 1;
    return noteText({ event_id: `e-${this.#published}`, ...overrides });
  }
}

async function post(ingest: string, lines: readonly string[]): Promise<void> {
  const response = await fetch(`${ingest}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  expect(await response.json()).toMatchObject({ accepted: lines.length });
}

const idOf = (entry: DeliveredEntry) => entry.metadata.event_id;

it('runlog tail and a loop over the client have every entry once, although the gateway is killed three times', async () => {
  const port = String(await freePort());
  const env = {
    KAFKA_BROKERS: inject('kafkaBrokers').join(','),
    RUNLOG_TOPIC_PREFIX: `${uniqueName('tail')}-`,
    RUNLOG_PARTITIONS: '2',
  };
  const startGateway = () => ServiceProcess.start('gateway', { ...env, RUNLOG_GATEWAY_PORT: port });
  const [ingest, aggregator, first] = await Promise.all([
    ServiceProcess.start('ingest', env),
    ServiceProcess.start('aggregator', env),
    startGateway(),
  ]);
  let gateway = first;
  const url = gateway.addresses.gateway!;
  const tail = startCli(['tail', RUN, '--json', '--until-end'], { RUNLOG_GATEWAY_URL: url });
  const client = createStreamClient({ url, webSocket: WebSocket });
  const seen: unknown[] = [];
  const gaps: unknown[] = [];
  const loop = (async () => {
    for await (const update of client.run(RUN, { acknowledge: true })) {
      if (update.kind === 'snapshot' || update.kind === 'step') seen.push(...update.entries.map(idOf));
      if (update.kind === 'gap') gaps.push(update);
      if (update.kind === 'end') return;
    }
  })();
  try {
    await expect.poll(tail.stderr).toContain('waiting for it');
    const publisher = new Publisher(ingest.addresses.ingest!);
    const printed = () => tail.stdout().split('\n').length - 1;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const before = printed();
      await expect.poll(printed).toBeGreaterThan(before);
      await gateway.end('SIGKILL');
      const lost = publisher.published;
      // More than the event log of the run holds, so that a resume leaves entries out.
      await expect.poll(() => publisher.published).toBeGreaterThan(lost + 1_000);
      gateway = await startGateway();
    }
    const events = await publisher.finish();
    expect(await tail.ended).toBe(0);
    await loop;
    const expected = Array.from({ length: events }, (_, at) => `e-${at + 1}`);
    const lines = tail.stdout().split('\n').slice(0, -1);
    expect(lines.map((line) => idOf(JSON.parse(line) as DeliveredEntry))).toEqual(expected);
    expect(seen).toEqual(expected);
    expect(gaps).toEqual([]);
    expect(tail.stderr()).not.toContain('not shown');
  } finally {
    client.close();
    tail.process.kill('SIGKILL');
    await Promise.all(
      [tail.ended, ingest, aggregator, gateway].map((part) => ('end' in part ? part.end('SIGKILL') : part)),
    );
  }
});
