import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { runCli } from '../support/cli-process.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { checkHistory } from './history/check-history.ts';
import { HistoryFile, readHistory } from './history/history-file.ts';
import { judgeRuns, judgeSubscriber, judgeTopic, readEventsTopic } from './judge-end.ts';
import { emitterPlans, runsOf, unorderedOf } from './load.ts';
import { Publisher } from './publisher.ts';
import { chosenSeed } from './seed.ts';
import { Subscriber } from './subscriber.ts';
import { until } from './until.ts';

const KILLS = 5;
const PARTITIONS = 4;
const WAIT_MS_MAX = 120_000;

const EMITTERS = emitterPlans();
const RUNS = runsOf(EMITTERS);

describe('runlog up on one machine', () => {
  it('shows each acknowledged event once and none twice, however often it is killed', async () => {
    const seed = chosenSeed(process.env);
    process.stdout.write(`embedded chaos SEED=${seed}\n`);
    const random = new SeededRandom(seed);
    const folder = await mkdtemp(join(tmpdir(), 'runlog-chaos-'));
    const env = { RUNLOG_DATA_DIR: folder };
    const notes = await mkdtemp(join(tmpdir(), 'runlog-history-'));
    await using file = new HistoryFile(join(notes, 'history.jsonl'));
    const { note } = file;
    note({ kind: 'planned', unordered: unorderedOf(EMITTERS) });
    let up: ServiceProcess | null = await ServiceProcess.start('up', env);
    const addressOf = (service: 'ingest' | 'gateway') => (up === null ? [] : [up.addresses[service]!]);
    const publisher = new Publisher({
      emitters: EMITTERS,
      targets: () => addressOf('ingest'),
      random: random.fork('load'),
      // A killed process breaks its connections. A slow one must not append a body that its client has given up.
      answerMsMax: WAIT_MS_MAX,
      note,
    });
    const gateways = () => addressOf('gateway');
    const subscriber = new Subscriber({
      ...{ name: 'subscriber', runs: RUNS, gateways, first: 0 },
      unordered: unorderedOf(EMITTERS),
      note,
    });
    try {
      for (let kill = 0; kill < KILLS; kill += 1) {
        // A kill before the subscriber is back would not affect it.
        const target = publisher.acknowledged + random.integer(20, 700);
        await until(() => publisher.acknowledged >= target && subscriber.connections > kill, {
          what: () =>
            `${target} events are acknowledged and the subscriber is back (${subscriber.connections})`,
          withinMs: WAIT_MS_MAX,
        });
        const killed: ServiceProcess = up!;
        up = null;
        expect(await killed.end('SIGKILL')).toBe('SIGKILL');
        up = await ServiceProcess.start('up', env);
      }
      const beside = await runCli(['verify', '--json'], env);
      expect(beside).toMatchObject({ code: 0 });
      await publisher.drain(WAIT_MS_MAX);
      await until(() => subscriber.connections > KILLS, {
        what: () => `the subscriber is back (${subscriber.connections})`,
        withinMs: WAIT_MS_MAX,
      });

      await using io = await openEmbedded({ folder, readOnly: true, logger: silentLogger });
      const reading = await readEventsTopic(io, { topic: 'run-events', partitions: PARTITIONS, note });
      expect(judgeTopic(reading, publisher)).toEqual([]);
      expect(await judgeRuns(gateways(), { reading, publisher })).toEqual([]);
      expect(await judgeSubscriber(subscriber, { gateway: gateways()[0]!, publisher })).toEqual([]);
      expect(publisher.violations).toEqual([]);
      for (const { key } of publisher.runs.values()) note({ kind: 'settled', by: subscriber.name, key });
      await subscriber.leave();
      await file[Symbol.asyncDispose]();
      expect(checkHistory(await readHistory(file.path))).toEqual([]);
      expect([...publisher.runs.keys()].sort()).toEqual([...RUNS].sort());

      const stopping: ServiceProcess = up!;
      up = null;
      expect(await stopping.end('SIGTERM')).toBe(0);
      const { code, stdout } = await runCli(['verify', '--json'], env);
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        ok: true,
        compared: publisher.runs.size,
        figuresCompared: publisher.runs.size,
        truncated: 0,
        unfoldable: 0,
      });
    } finally {
      await publisher.abandon();
      await subscriber.leave();
      await up?.end('SIGKILL');
      await file[Symbol.asyncDispose]();
      for (const made of [folder, notes]) await rm(made, { recursive: true, force: true });
    }
  });
});
