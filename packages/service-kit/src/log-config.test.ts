import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { isLogNamed, logConfigOf, logEnvironment, logFaults } from './log-config.ts';
import { readConfig } from './read-config.ts';

function variables(env: Record<string, string> = {}) {
  return readConfig(z.object(logEnvironment), env);
}

const up = { single: false };
const single = { single: true };

describe('where the log is', () => {
  test('"up" without any variable uses the embedded log with four partitions', () => {
    expect(logFaults(variables(), up)).toEqual([]);
    expect(logConfigOf(variables(), up)).toMatchObject({
      engine: 'embedded',
      dataFolder: './.runlog',
      partitions: 4,
      replicationFactor: undefined,
      eventRetentionHours: 720,
      runRetentionHours: 720,
      topics: { events: 'run-events', snapshots: 'run-snapshots', meta: 'run-meta' },
    });
  });

  test('naming brokers means Kafka, with twelve partitions', () => {
    const config = logConfigOf(variables({ KAFKA_BROKERS: 'a:9092,b:9092' }), up);
    expect(config).toMatchObject({ engine: 'kafka', brokers: ['a:9092', 'b:9092'], partitions: 12 });
  });

  test('RUNLOG_ENGINE overrides the brokers for "up"', () => {
    const read = variables({ KAFKA_BROKERS: 'a:9092', RUNLOG_ENGINE: 'embedded' });
    expect(logFaults(read, up)).toEqual([]);
    expect(logConfigOf(read, up).engine).toBe('embedded');
  });

  test('is named by the brokers, the folder or the engine, and by nothing else', () => {
    for (const env of [
      { KAFKA_BROKERS: 'a:9092' },
      { RUNLOG_DATA_DIR: './.runlog' },
      { RUNLOG_ENGINE: 'embedded' },
    ]) {
      expect({ env, named: isLogNamed(variables(env)) }).toEqual({ env, named: true });
    }
    const others = { RUNLOG_TOPIC_PREFIX: 'staging.', RUNLOG_PARTITIONS: '8', RUNLOG_DATA_DIR: '' };
    expect(isLogNamed(variables(others))).toBe(false);
  });

  test('a single service refuses the embedded log and requires brokers', () => {
    expect(logFaults(variables({ RUNLOG_ENGINE: 'embedded' }), single)).toEqual([
      expect.stringContaining('RUNLOG_ENGINE=embedded'),
    ]);
    expect(logFaults(variables(), single)).toEqual([expect.stringContaining('KAFKA_BROKERS is required')]);
  });

  test('settings of the events topic may not keep events for less time than runs', () => {
    const config = (retentionMs: string) =>
      variables({ RUNLOG_EVENTS_TOPIC_CONFIG: `retention.ms=${retentionMs}` });
    for (const kept of ['-1', String(720 * 3_600_000)]) expect(logFaults(config(kept), up)).toEqual([]);
    expect(logFaults(config('86400000'), up)).toEqual([
      expect.stringContaining('retention.ms=86400000, which must not be below RUNLOG_RUN_RETENTION_HOURS'),
    ]);
    expect(logConfigOf(config('-1'), up).topicConfig).toEqual({
      events: { 'retention.ms': '-1' },
      snapshots: {},
    });
  });

  test('all faults are reported, not only the first', () => {
    const read = variables({
      RUNLOG_ENGINE: 'kafka',
      KAFKA_SASL_USERNAME: 'runlog',
      RUNLOG_EVENT_RETENTION_HOURS: '1',
    });
    expect(logFaults(read, up)).toEqual([
      expect.stringContaining('KAFKA_BROKERS is required'),
      expect.stringContaining('KAFKA_SASL_USERNAME set without a mechanism'),
      expect.stringContaining('RUNLOG_EVENT_RETENTION_HOURS must not be below'),
    ]);
  });

  test('the encoder of Kafka batches is our own, unless kafkajs is asked for by its name', () => {
    expect(logConfigOf(variables(), up).encoder).toBe('own');
    expect(logConfigOf(variables({ RUNLOG_KAFKA_ENCODER: 'kafkajs' }), up).encoder).toBe('kafkajs');
    expect(() => variables({ RUNLOG_KAFKA_ENCODER: 'java' })).toThrow(
      'RUNLOG_KAFKA_ENCODER must be own or kafkajs',
    );
  });

  test('a prefix precedes every name', () => {
    const { topics } = logConfigOf(variables({ RUNLOG_TOPIC_PREFIX: 'staging.' }), up);
    for (const name of Object.values(topics)) expect(name).toMatch(/^staging\.run/);
  });

  test('the three SASL variables together are credentials', () => {
    const read = variables({
      KAFKA_BROKERS: 'a:9092',
      KAFKA_SSL: 'true',
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: 'runlog',
      KAFKA_SASL_PASSWORD: 'secret',
    });
    expect(logFaults(read, single)).toEqual([]);
    expect(logConfigOf(read, single)).toMatchObject({
      ssl: {},
      sasl: { mechanism: 'scram-sha-512', username: 'runlog', password: { value: 'secret' } },
    });
  });
});
