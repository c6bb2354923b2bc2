import { gzipSync } from 'node:zlib';
import type { LogRecord } from '@runlog/topic-io/topic-io';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { attribute, logRecord, logsOf } from '../../services/ingest/src/made-up/otlp-logs.ts';
import { KafkaIngest } from '../support/kafka-ingest.ts';

let ingest: KafkaIngest;

beforeAll(async () => {
  ingest = await KafkaIngest.start({ brokers: inject('kafkaBrokers') });
});
afterAll(() => ingest[Symbol.asyncDispose]());

async function eventsOf(run: string): Promise<Record<string, unknown>[]> {
  const records = await ingest.events();
  return records.filter(({ key }) => key.split('/')[1] === run).map(parsed);
}

const parsed = (record: LogRecord) => JSON.parse(record.value!.toString('utf8')) as Record<string, unknown>;

describe('POST /v1/logs', () => {
  it('stores log records as events', async () => {
    const record = logRecord(1, {
      eventName: 'checkpoint.saved',
      attributes: [attribute('loss', 0.5), attribute('runlog.group', 'g1')],
      traceId: '5B8EFFF798038103D269B633813FC60C',
    });
    const response = await ingest.post('/v1/logs', JSON.stringify(logsOf([record], { run_id: 'otlp-json' })));
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.text()).toBe('{}');
    const [event] = await eventsOf('otlp-json');
    expect(event).toMatchObject({
      ...{ event_type: 'CHECKPOINT_SAVED', run_id: 'otlp-json', group_id: 'g1', severity: 'info' },
      ...{ message: 'line 1', timestamp: '2026-01-03T23:59:47.001000001+00:00' },
      data: {
        ...{ loss: 0.5, trace_id: '5b8efff798038103d269b633813fc60c' },
        ...{ scope: { name: 'test', version: '1' }, resource: { run_id: 'otlp-json' } },
      },
    });
  });

  it('takes a body that comes again once', async () => {
    const body = gzipSync(
      JSON.stringify(
        logsOf(
          Array.from({ length: 300 }, (_, at) => logRecord(at)),
          { run: 'otlp-twice' },
        ),
      ),
    );
    for (let time = 0; time < 2; time += 1) {
      const response = await ingest.post('/v1/logs', body, { 'content-encoding': 'gzip' });
      expect(response.status).toBe(200);
    }
    expect(await eventsOf('otlp-twice')).toHaveLength(300);
  });

  it('refuses a body that has anything but logs, because nothing of it would be stored', async () => {
    const response = await ingest.post('/v1/logs', '{"resourceSpans":[{}]}');
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringContaining('no resourceLogs'),
    ]);
    expect((await ingest.post('/v1/logs', '{}')).status).toBe(200);
  });

  it('answers with a google.rpc.Status', async () => {
    const json = await ingest.post('/v1/logs', '{"resourceLogs":');
    expect(json.status).toBe(400);
    expect(await json.json()).toMatchObject({ code: 3 });
    const protobuf = await ingest.post('/v1/logs', Buffer.from([0x0a, 0x05]), {
      'content-type': 'application/x-protobuf',
    });
    expect(protobuf.status).toBe(400);
    expect(protobuf.headers.get('content-type')).toBe('application/x-protobuf');
    expect([...new Uint8Array(await protobuf.arrayBuffer()).subarray(0, 2)]).toEqual([0x08, 3]);
  });
});

describe('POST /v1/events?mode=sender', () => {
  it('makes events of objects', async () => {
    const body = JSON.stringify([
      { type: 'checkpoint.saved', run: 'sender-1', step: 5, date: 1_767_484_787.25 },
      { name: 'b', SLURM_JOB_ID: 77, loss: 1 },
    ]);
    const response = await ingest.post('/v1/events?mode=sender', body);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ accepted: 2, rejected: 0 });
    expect(await eventsOf('sender-1')).toMatchObject([
      { event_type: 'CHECKPOINT_SAVED', timestamp: '2026-01-03T23:59:47.250000+00:00', data: { step: 5 } },
    ]);
    expect(await eventsOf('77')).toMatchObject([{ event_type: 'B', data: { loss: 1 } }]);
  });

  it('keeps what is no event among the rejected ones, and answers 200', async () => {
    const response = await ingest.post('/v1/events?mode=sender', '[{"type":"x","run":"sender-bad"},7]');
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ accepted: 1, rejected: 1, errors: [{ index: 1 }] });
    const rejected = await ingest.rejected();
    expect(rejected.map(({ value }) => value!.toString())).toContain('7');
  });

  it('takes objects that follow each other with nothing between', async () => {
    const response = await ingest.post(
      '/v1/events?mode=sender',
      '{"type":"a","run":"joined"}{"type":"b","run":"joined"}',
    );
    expect(await response.json()).toMatchObject({ accepted: 2 });
  });

  it('answers a body in which there are no events with 400, and keeps it', async () => {
    const response = await ingest.post('/v1/events?mode=sender', '[{"type":"a"},{"cut off');
    expect(response.status).toBe(400);
    const rejected = await ingest.rejected();
    expect(rejected.map(({ value }) => value!.toString())).toContain('[{"type":"a"},{"cut off');
  });

  it('takes up to 10,000 events and 16 MiB, and no more', async () => {
    const many = (count: number, filling: number) =>
      JSON.stringify(
        Array.from({ length: count }, (_, n) => ({ run: 'many', n, filling: 'x'.repeat(filling) })),
      );
    expect((await ingest.post('/v1/events?mode=sender', many(10_000, 1_200))).status).toBe(200);
    expect(await eventsOf('many')).toHaveLength(10_000);
    expect((await ingest.post('/v1/events?mode=sender', many(10_001, 1))).status).toBe(413);
    expect((await ingest.post('/v1/events?mode=sender', many(9_000, 2_000))).status).toBe(413);
  });
});

describe('POST /v1/keys/{key}/events', () => {
  it('answers 200 to whatever comes, and keeps it', async () => {
    const response = await ingest.post('/v1/keys/any/events', '[{"cut off');
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ accepted: 0, rejected: 1 });
    const good = await ingest.post('/v1/keys/any/events', '[{"eventType":"TASK_DEFINITION_EVENT"}]');
    expect(await good.json()).toMatchObject({ accepted: 1 });
  });

  it('stores what can be read of a body that is cut off, and once although it comes again', async () => {
    const whole = Array.from({ length: 300 }, (_, n) => ({ eventType: 'TASK_EVENT', run_id: 'cut', n }));
    const body = JSON.stringify(whole).slice(0, -5);
    for (let time = 0; time < 2; time += 1) {
      const response = await ingest.post('/v1/keys/any/events', body);
      expect([response.status, await response.json()]).toMatchObject([
        200,
        { accepted: 299, rejected: 1, errors: [{ message: expect.stringContaining('cut off') }] },
      ]);
    }
    expect(await eventsOf('cut')).toHaveLength(299);
  });

  it('says nobody the key that stands in the path', async () => {
    const many = Array.from({ length: 10_001 }, (_, n) => ({ eventType: 'TASK_EVENT', run_id: 'many', n }));
    const all = await ingest.post('/v1/keys/any/events', JSON.stringify(many));
    expect([all.status, await all.json()]).toMatchObject([200, { accepted: 10_001, rejected: 0 }]);
    const wrongMethod = await fetch(`${ingest.url}/v1/keys/secret/events`);
    expect(wrongMethod.status).toBe(405);
    const wrongPath = await ingest.post('/v1/keys/secret/other', '[]');
    expect(wrongPath.status).toBe(404);
    const metrics = await fetch(`${ingest.url}/metrics`);
    const said = `${await wrongMethod.text()}${await wrongPath.text()}${await metrics.text()}`;
    expect(said).not.toContain('secret');
    expect(said).toContain('path="/v1/keys/{key}/events"');
  });
});
