import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeRejected } from '@runlog/records/rejected-record';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectAcknowledged, readToEnd, record } from '../contract/contract-context.ts';
import { runCli } from '../support/cli-process.ts';
import { noteText } from '../support/embedded-ingest.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';

let folder: string;
let env: Record<string, string>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-rejected-'));
  env = { RUNLOG_DATA_DIR: folder };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function rejected(...args: string[]): Promise<{ code: unknown; out: string; err: string }> {
  const { code, stdout, stderr } = await runCli(['rejected', ...args], env);
  return { code, out: stdout, err: stderr };
}

describe('runlog rejected', () => {
  it('lists rejected events beside the running services, newest last, without their secrets', async () => {
    await using up = await ServiceProcess.start('up', env);
    const post = async (cluster: string, body: string) => {
      // They are listed by the millisecond of their arrival.
      const beforeMs = Date.now();
      await expect.poll(Date.now, { interval: 1 }).toBeGreaterThan(beforeMs);
      return fetch(`${up.addresses.ingest}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson', 'x-cluster-id': cluster },
        body,
      });
    };
    expect((await post('c1', noteText({ event_type: 'bad type', password: 'hunter2' }))).status).toBe(422);
    expect((await post('c1', `${noteText()}\n{"api_key":"hunter2", broken`)).status).toBe(200);
    expect((await post('c2', noteText({ run_id: 'r9', timestamp: 'now' }))).status).toBe(422);
    await expect.poll(async () => (await rejected('--json')).out.trim().split('\n').length).toBe(3);
    const all = (await rejected('--json')).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    expect(all.map(({ run, code, path }) => [run, code, path])).toEqual([
      ['c1/r1/default', 'schema', 'event_type'],
      ['c1', 'invalid_json', ''],
      ['c2/r9/default', 'schema', 'timestamp'],
    ]);
    expect(JSON.stringify(all)).not.toContain('hunter2');
    expect(JSON.parse(all[0]!.event!)).toMatchObject({ event_type: 'bad type', password: '[redacted]' });
    for (const [args, expected] of [
      [
        ['--cluster', 'c1'],
        ['c1/r1/default', 'c1'],
      ],
      [['--run', 'c2/*'], ['c2/r9/default']],
      [['--code', 'invalid_json'], ['c1']],
      [['--limit', '1'], ['c2/r9/default']],
      [['--since', '2100-01-01T00:00:00Z'], []],
    ] as const) {
      const { code, out } = await rejected('--json', ...args);
      const runs = out
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => (JSON.parse(line) as { run: string }).run);
      expect([code, args, runs]).toEqual([0, args, expected]);
    }
    const text = await rejected('--limit', '2');
    expect(text.out).toMatch(
      /c1 {2}invalid_json: .*\n.*\[redacted\].*\n.*c2\/r9\/default {2}schema: timestamp must be/s,
    );
    expect(text.err).toMatch(/^log: folder .*\n1 older not shown; raise --limit to see more\n$/);
    expect(await up.end('SIGTERM')).toBe(0);
  });

  it('lists records that no fold could read, and passes no control character to the terminal', async () => {
    const log = await openEmbedded({ folder, logger: silentLogger });
    const writer = await log.writer();
    await writer.append({
      topic: 'run-events-rejected',
      partition: 0,
      records: [
        encodeRejected(
          {
            ...{ key: 'c3/r1/default', code: 'unfoldable', path: '', message: 'no JSON' },
            ...{ origin: 'run-events:0:7', keyId: null },
          },
          { value: Buffer.from('\u001b[31mred'), receivedAtMs: Date.now() },
        ),
      ],
    });
    await writer[Symbol.asyncDispose]();
    await log[Symbol.asyncDispose]();
    const { code, out } = await rejected('--code', 'unfoldable');
    expect(code).toBe(0);
    expect(out).toContain('unfoldable: no JSON  (run-events:0:7)');
    expect(out).not.toContain('\u001b');
  });

  it('a flood of records that are no events has a line a flush, and only beginnings are kept of the rest', async () => {
    const RECORDS = 3_000;
    const RECORD_BYTES = 8_000;
    {
      await using log = await openEmbedded({ folder, logger: silentLogger });
      await using writer = await log.writer();
      const garbage = record({ key: '', value: Buffer.alloc(RECORD_BYTES, 'x') });
      for (let sent = 0; sent < RECORDS; sent += 500) {
        const records = Array.from({ length: 500 }, () => garbage);
        expectAcknowledged(await writer.append({ topic: 'run-events', partition: 0, records }), 500);
      }
    }
    await using up = await ServiceProcess.start('up', env);
    const counted = async () => {
      const text = await (await fetch(`${up.addresses.aggregator}/metrics`)).text();
      return Number(/^runlog_aggregator_unfoldable_records_total (\d+)$/m.exec(text)?.[1]);
    };
    await expect.poll(counted).toBe(RECORDS);
    const lines = () =>
      up.output
        .split('\n')
        .filter((line) => line.includes('records cannot be folded'))
        .map((line) => JSON.parse(line) as { records: number; origin: string; reason: string });
    await expect.poll(() => lines().reduce((sum, line) => sum + line.records, 0)).toBe(RECORDS);
    expect(lines().length).toBeLessThan(RECORDS / 100);
    expect(lines()[0]).toMatchObject({
      origin: expect.stringMatching(/^run-events:0:\d+$/),
      reason: 'the record has no key, so it belongs to no run',
    });
    expect(await up.end('SIGTERM')).toBe(0);

    await using log = await openEmbedded({ folder, logger: silentLogger });
    const { records } = await readToEnd(log, { topic: 'run-events-rejected' });
    const kept = records.filter(({ headers }) => headers.message?.startsWith('the record has no key'));
    expect(kept).toHaveLength(RECORDS);
    const keptBytes = kept.reduce((sum, { value }) => sum + value!.length, 0);
    expect(keptBytes).toBeLessThanOrEqual(lines().length * 4 * 1024 * 1024 + RECORDS * 256);
    expect(Math.max(...kept.map(({ value }) => value!.length))).toBe(RECORD_BYTES);
  });
});
