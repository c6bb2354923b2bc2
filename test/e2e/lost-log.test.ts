import { readGatewayConfig } from '@runlog/gateway/config';
import { startGateway } from '@runlog/gateway/start-gateway';
import type { RunDocument } from '@runlog/schema/run/snapshot';
import { systemClock } from '@runlog/service-kit/clock';
import { createLogger } from '@runlog/service-kit/logger';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../support/broker.ts';
import type { MavenBrokers } from '../support/broker-maven.ts';
import { epochCompleted } from '../support/event-factory.ts';
import { OwnTime } from '../support/own-time.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { type AnyFrame, StreamSocket } from '../support/stream-socket.ts';

/** From the last answer of the log until everybody is told, in the gateway's own time. */
const TOLD_MS_MAX = 4_000;
const REFUSED_MS_MAX = 2_000;

let cluster: MavenBrokers;
beforeAll(async () => {
  cluster = await startCluster({ count: 1 });
});
afterAll(async () => {
  await cluster?.stop();
});

/** Starts a gateway in this process, so that its promises about time are measured in its own time. */
async function startOwnGateway(env: Readonly<Record<string, string>>) {
  const faults: unknown[] = [];
  const logger = createLogger({ service: 'gateway', level: 'silent' });
  const io = await openKafka({ brokers: cluster.brokers, clientId: 'runlog-lost-log', logger });
  const gateway = await startGateway({
    ...{ io, logger, clock: systemClock, random: Math.random, newEpoch: () => 'lost-log' },
    config: readGatewayConfig({ ...env, RUNLOG_GATEWAY_PORT: '0' }),
    fail: (error) => faults.push(error),
  });
  await gateway.ready;
  return {
    url: gateway.addresses.gateway!,
    faults,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await io[Symbol.asyncDispose]();
    },
  };
}

/** Publishes events of one run, in order, and sends again what was not acknowledged. */
class Emitter {
  readonly #ingest: string;
  readonly #run: string;
  sent = 0;

  constructor(ingest: string, run: string) {
    this.#ingest = ingest;
    this.#run = run;
  }

  async publish(count: number): Promise<void> {
    const events = Array.from({ length: count }, (_, at) => {
      const number = this.sent + at + 1;
      return epochCompleted({
        ...{ event_id: `${this.#run}-${number}`, run_id: this.#run, message: `number ${number}` },
        ...{ emitter_id: 'e1', emitter_seq: number },
      });
    });
    const post = async () => {
      const response = await fetch(`${this.#ingest}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(events),
      });
      if (response.status !== 200) return response.status;
      const { accepted } = (await response.json()) as { accepted: number };
      return accepted === count ? 200 : 'again';
    };
    await expect.poll(post, { timeout: 90_000 }).toBe(200);
    this.sent += count;
  }
}

async function metricsOf(url: string): Promise<ReadonlyMap<string, string>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith('runlog_'));
  return new Map(lines.map((line) => line.split(' ') as [string, string]));
}

const isFeed = ({ feed }: AnyFrame) => feed !== undefined;
const stalled = { feed: { state: 'stalled', since: expect.any(String) } };

describe('a log that is lost for a while', () => {
  it.each([
    { how: 'hangs', run: 'hanging', lose: 'SIGSTOP' },
    { how: 'was killed', run: 'killed', lose: 'SIGKILL' },
  ] as const)(
    'shows everywhere when its broker $how, and everything goes on when it is back',
    async (loss) => {
      const env = { KAFKA_BROKERS: cluster.brokers.join(','), RUNLOG_TOPIC_PREFIX: `${loss.run}-` };
      await using ingest = await ServiceProcess.start('ingest', { ...env, RUNLOG_PARTITIONS: '2' });
      await using aggregator = await ServiceProcess.start('aggregator', env);
      await using gateway = await startOwnGateway(env);
      const health = aggregator.addresses.aggregator!;
      const ch = `run:local/${loss.run}/default`;
      const url = `${gateway.url}/v1/runs/local/${loss.run}/default`;
      const runNow = async () => (await (await fetch(url)).json()) as RunDocument;
      const emitter = new Emitter(ingest.addresses.ingest!, loss.run);
      await emitter.publish(120);
      await expect.poll(async () => (await runNow()).total_events_received).toBe(120);
      await using stream = await StreamSocket.open(gateway.url);
      stream.send({ id: 1, sub: [{ ch }] });
      const held = (await stream.next(({ id }) => id === 1)).snapshot as RunDocument;
      const before = await metricsOf(gateway.url);
      expect(before.get('runlog_gateway_feed_up')).toBe('1');
      expect(before.get('runlog_gateway_behind_records')).toBe('0');
      expect(Number(before.get('runlog_gateway_feed_last_record_timestamp_seconds'))).toBeGreaterThan(1e9);
      await expect
        .poll(async () => (await metricsOf(health)).get('runlog_aggregator_last_flush_timestamp_seconds'))
        .not.toBe('0');

      using sinceLost = new OwnTime();
      await cluster.kill(0, loss.lose);
      expect(await stream.next(isFeed)).toEqual(stalled);
      expect(sinceLost.ms).toBeLessThan(TOLD_MS_MAX);
      await using late = await StreamSocket.open(gateway.url);
      expect(await late.next()).toMatchObject({ hello: {} });
      expect(await late.next()).toEqual(stalled);

      const ready = await fetch(`${gateway.url}/readyz`);
      expect({ status: ready.status, body: await ready.json() }).toEqual({
        status: 200,
        body: { status: 'ready', feed: { ...stalled.feed, behind_records: null } },
      });
      for (const path of ['/events', `?at=${held.first_seq + 1}`]) {
        using took = new OwnTime();
        const refused = await fetch(`${url}${path}`);
        expect(took.ms).toBeLessThan(REFUSED_MS_MAX);
        expect({ status: refused.status, body: await refused.json() }).toMatchObject({
          ...{ status: 503, body: { error: { code: 'log_unavailable' } } },
        });
      }
      const during = await metricsOf(gateway.url);
      expect(during.get('runlog_gateway_feed_up')).toBe('0');
      expect(during.get('runlog_gateway_behind_records')).toMatch(/^nan$/i);
      await expect.poll(async () => (await metricsOf(health)).get('runlog_aggregator_feed_up')).toBe('0');
      const lags = [...(await metricsOf(health))].filter(([name]) => name.includes('lag_offsets'));
      expect(lags).not.toEqual([]);
      for (const [, lag] of lags) expect(lag).toMatch(/^nan$/i);
      // What is held is served on.
      expect((await runNow()).position).toEqual(held.position);
      late.send({ id: 2, sub: [{ ch }] });
      expect(await late.next(({ id }) => id === 2)).toMatchObject({ snapshot: { position: held.position } });

      if (loss.lose === 'SIGSTOP') await cluster.kill(0, 'SIGCONT');
      else await cluster.restart(0);
      for (const one of [stream, late]) expect(await one.next(isFeed)).toEqual({ feed: { state: 'live' } });
      await emitter.publish(30);
      await expect
        .poll(async () => (await runNow()).total_events_received - (await runNow()).duplicates)
        .toBe(150);
      const { position } = await runNow();
      let seq = held.position!.seq;
      const numbers: string[] = [];
      while (seq < position!.seq) {
        const frame = await stream.next((one) => one.ch === ch);
        expect(frame).toMatchObject({ prev: seq });
        seq = frame.seq as number;
        for (const { message } of frame.entries as { message: string }[]) numbers.push(message);
      }
      expect(numbers.map((message) => /number \d+/.exec(message)?.[0])).toEqual(
        Array.from({ length: 30 }, (_, at) => `number ${121 + at}`),
      );
      const kinds = [...stream.frames, ...late.frames].flatMap((frame) => Object.keys(frame));
      expect(kinds).not.toContain('reset');
      expect(kinds).not.toContain('lag');
      expect((await fetch(`${url}/events?limit=5`)).status).toBe(200);
      expect((await metricsOf(gateway.url)).get('runlog_gateway_feed_up')).toBe('1');
      await expect.poll(async () => (await metricsOf(health)).get('runlog_aggregator_feed_up')).toBe('1');
      expect(gateway.faults).toEqual([]);
      const said = aggregator.output.split('\n');
      const count = (text: string) => said.filter((line) => line.includes(text)).length;
      // A broker that fails once more while it starts is told of twice.
      expect(count('the log does not answer;')).toBeGreaterThan(0);
      expect(count('the log answers again')).toBe(count('the log does not answer;'));
    },
  );
});
