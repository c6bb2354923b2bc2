import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runCli, startCli } from '../support/cli-process.ts';
import { epochCompleted, otherEvent, trainingStarted } from '../support/event-factory.ts';
import { ServiceProcess } from '../support/service-process.ts';

const RUN = 'local/r1/default';
const started = '2026-01-03T23:59:40Z';

/** A run that fails in its second attempt, with a number that never came and one that came twice. */
const events: readonly TelemetryEvent[] = [
  trainingStarted({ timestamp: started, emitter_id: 'rank-0', emitter_seq: 1 }),
  epochCompleted({ data: { val_accuracy: 40.25, inner_epoch: 1 }, emitter_id: 'rank-0', emitter_seq: 2 }),
  otherEvent('METRICS', { data: { step: 1, lr: 0.1, note: 'a\u001b[2J\u202eb' } }),
  otherEvent('GPU_STATE', { severity: 'WARN', data: { temperature: 91 } }),
  trainingStarted({ data: { start_episode: 0 }, emitter_id: 'rank-0', emitter_seq: 5 }),
  epochCompleted({ data: { val_accuracy: 61.5, inner_epoch: 1 }, emitter_id: 'rank-0', emitter_seq: 6 }),
  epochCompleted({ data: { val_accuracy: 'NaN' as unknown as number, inner_epoch: 2 } }),
  epochCompleted({ event_id: 'another', emitter_id: 'rank-0', emitter_seq: 6 }),
  otherEvent('RUN_FAILED', { message: 'loss is NaN\nin step 7' }),
];

let folder: string;
let up: ServiceProcess;
let env: Readonly<Record<string, string>>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-one-run-'));
  up = await ServiceProcess.start('up', { RUNLOG_DATA_DIR: folder });
  env = { RUNLOG_DATA_DIR: folder, RUNLOG_GATEWAY_URL: up.addresses.gateway! };
  const response = await fetch(`${up.addresses.ingest}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: events.map((event) => JSON.stringify(event)).join('\n'),
  });
  expect(await response.json()).toMatchObject({ accepted: events.length });
  await vi.waitFor(
    async () => expect((await runCli(['show', RUN], env)).stdout).toContain(`events    ${events.length} (`),
    { timeout: 60_000, interval: 100 },
  );
});
afterAll(async () => {
  await up?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe('one run, as a person reads it', () => {
  it('is shown with its end, attempts, missing numbers and values', async () => {
    const { code, stdout } = await runCli(['show', RUN], env);
    expect(code).toBe(0);
    expect(stdout).toContain(
      '  end       failed: loss is NaN in step 7 (2026-01-03T23:59:47.900000+00:00)\n',
    );
    expect(stdout).toContain('  attempt   2, started 2026-01-03T23:59:47.900000+00:00 from episode 0\n');
    expect(stdout).toContain('  events    9 (0 duplicates dropped, 2 missing)\n  missing   rank-0 3-4\n');
    expect(stdout).toContain('  conflicts 1 event came under a number of its emitter');
    expect(stdout).not.toContain('beginning');
    expect(stdout).toMatch(
      /^23:59:47 +EPOCH_COMPLETED .* val_accuracy 40\.25, val_loss 0\.2, inner_epoch 1$/m,
    );
    expect(stdout).toMatch(/^23:59:47 +warning +GPU_STATE .* temperature 91$/m);
    expect(stdout).not.toMatch(/(?!\n)\p{Cc}|\p{Cf}/u);
  });

  it('is followed with values and severities', async () => {
    const tail = startCli(['tail', RUN, '--until-end', '--entries', '100'], env);
    expect(await tail.ended).toBe(1);
    const lines = tail.stdout().trimEnd().split('\n');
    expect(lines).toHaveLength(events.length);
    expect(lines[1]).toBe(
      '23:59:47  EPOCH_COMPLETED        00  val_accuracy 40.25, val_loss 0.2, inner_epoch 1',
    );
    expect(lines[2]).toContain('lr 0.1, note a�[2J�b, step 1');
    expect(lines[3]).toBe('23:59:47  GPU_STATE              --  WARNING  temperature 91');
  });

  it('is followed and listed by filters, and a wrong one is named', async () => {
    const tail = startCli(['tail', RUN, '--until-end', '--severity', 'warning', '--entries', '100'], env);
    expect(await tail.ended).toBe(1);
    expect(tail.stdout()).toBe('23:59:47  GPU_STATE              --  WARNING  temperature 91\n');
    expect(await runCli(['tail', RUN, '--not-type', 'lower'], env)).toMatchObject({
      ...{ code: 2, stderr: expect.stringContaining('not_type.0') as unknown },
    });
    const listed = async (where: string) =>
      (await runCli(['runs', '--json', '--sort', 'state', '--where', where], env)).stdout;
    expect(JSON.parse(await listed('missing=2,attempt=2'))).toMatchObject({ run_id: 'r1' });
    expect(await listed('missing>2')).toBe('');
    expect(await runCli(['runs', '--where', 'acc>80'], env)).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('there is no field "acc" to compare') as unknown },
    });
  });

  it('has the figures of its whole life: a list, one as a table, CSV and JSON', async () => {
    const list = await runCli(['figures', RUN], env);
    expect(list.code).toBe(0);
    for (const name of ['val_accuracy', 'val_loss', 'lr', 'GPU_STATE.temperature'])
      expect(list.stdout).toContain(name);
    const csv = await runCli(['figures', RUN, '--name', 'val_accuracy', '--format', 'csv'], env);
    const rows = csv.stdout.trimEnd().split('\n');
    expect(rows).toHaveLength(5);
    expect(rows[1]).toContain('val_accuracy,0,1,');
    const json = await runCli(['figures', RUN, '--name', 'val_accuracy', '--format', 'json'], env);
    expect(JSON.parse(json.stdout)).toMatchObject({
      run_id: 'r1',
      figures: [
        {
          name: 'val_accuracy',
          points: 4,
          without_value: 1,
          last: [40.25, 61.5, null, 40.5],
          attempt: [1, 2, 2, 2],
        },
      ],
    });
    const absent = await runCli(['figures', RUN, '--name', 'val_acuracy'], env);
    expect(absent.code).toBe(1);
    expect(absent.stderr).toContain('Did you mean "val_accuracy"?');
    const nobody = await runCli(['figures', 'local/nobody/default'], env);
    expect(nobody.code).toBe(1);
  });

  it('is replayed as lines that people read, and as JSON', async () => {
    const text = await runCli(['replay', RUN, '--format', 'text'], env);
    expect(text.code).toBe(0);
    const lines = text.stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(events.length);
    expect(lines[3]).toBe(
      '       3  2026-01-03  23:59:47  GPU_STATE              --  WARNING  temperature 91',
    );
    const json = await runCli(['replay', RUN], env);
    const records = json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records.map(({ event }) => event)).toEqual(events);
    expect(records[3]!.entry).toMatchObject({ severity: 'warning', values: { temperature: 91 } });
  });
});
