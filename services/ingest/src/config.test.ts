import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@runlog/service-kit/read-config';
import { describe, expect, it } from 'vitest';
import { readIngestConfig } from './config.ts';

const kafka = { KAFKA_BROKERS: '127.0.0.1:9092' };

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    readIngestConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('the configuration of ingest', () => {
  it('listens on loopback by default', () => {
    expect(readIngestConfig(kafka)).toMatchObject({
      host: '127.0.0.1',
      port: 4000,
      log: { engine: 'kafka', brokers: ['127.0.0.1:9092'], topics: { events: 'run-events' } },
    });
  });

  it('answers loopback names and those of allowed origins, and any host once it is open on purpose', () => {
    const allowed = { ...kafka, RUNLOG_ALLOWED_ORIGINS: 'https://board.example:8443' };
    expect(readIngestConfig(kafka).answeredHosts).toEqual([]);
    expect(readIngestConfig(allowed).answeredHosts).toEqual(['board.example']);
    expect(readIngestConfig({ ...allowed, RUNLOG_OPEN: 'true' }).answeredHosts).toBeNull();
    expect(faultsOf({ ...kafka, RUNLOG_ALLOWED_ORIGINS: 'board' })).toEqual([
      'RUNLOG_ALLOWED_ORIGINS holds "board": an origin is like https://board.example:8443',
    ]);
  });

  it.each(['0.0.0.0', '::', '10.0.0.1', 'example.com', '127.0.0.1.example.com'])(
    'refuses to listen on %s unless RUNLOG_OPEN says that this is meant',
    (host) => {
      const env = { ...kafka, RUNLOG_INGEST_HOST: host };
      expect(faultsOf(env)).toEqual([expect.stringContaining('RUNLOG_OPEN=true')]);
      expect(readIngestConfig({ ...env, RUNLOG_OPEN: 'true' }).host).toBe(host);
    },
  );

  it.each(['127.0.0.1', '127.9.9.9', '::1', 'localhost'])(
    'listens on %s without further settings',
    (host) => {
      expect(readIngestConfig({ ...kafka, RUNLOG_INGEST_HOST: host }).host).toBe(host);
    },
  );

  it('listens on any address if keys are required', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'runlog-config-'));
    const path = join(folder, 'keys.json');
    await writeFile(path, '{"keys":[]}');
    const env = { ...kafka, RUNLOG_KEYS_FILE: path, RUNLOG_INGEST_HOST: '0.0.0.0' };
    expect(readIngestConfig(env)).toMatchObject({ host: '0.0.0.0', keysFile: path });
    await rm(folder, { recursive: true });
  });

  it('does not start open if the keys cannot be read', () => {
    const env = { ...kafka, RUNLOG_KEYS_FILE: '/nowhere/keys.json', RUNLOG_OPEN: 'true' };
    expect(faultsOf(env)).toEqual([
      expect.stringContaining('RUNLOG_KEYS_FILE=/nowhere/keys.json cannot be read'),
    ]);
  });

  it('compresses nothing by default, and in each of Kafka’s ways with every Node', () => {
    expect(readIngestConfig(kafka).compression).toBe('none');
    for (const compression of ['gzip', 'snappy', 'lz4', 'zstd']) {
      expect(readIngestConfig({ ...kafka, RUNLOG_COMPRESSION: compression }).compression).toBe(compression);
    }
    expect(faultsOf({ ...kafka, RUNLOG_COMPRESSION: 'brotli' })).toEqual([
      expect.stringContaining('RUNLOG_COMPRESSION must be none, gzip, snappy, lz4, zstd'),
    ]);
  });

  it('lists every fault at once, both of single variables and of combinations', () => {
    const faults = faultsOf({
      RUNLOG_INGEST_PORT: '70000',
      RUNLOG_INGEST_HOST: '0.0.0.0',
      RUNLOG_LOG_LEVEL: 'loud',
      RUNLOG_ENGINE: 'embedded',
    });
    expect(faults).toEqual([
      expect.stringContaining('RUNLOG_LOG_LEVEL'),
      expect.stringContaining('RUNLOG_INGEST_PORT'),
      expect.stringContaining('needs KAFKA_BROKERS'),
      expect.stringContaining('RUNLOG_INGEST_HOST=0.0.0.0'),
    ]);
  });

  it('does not report faults that depend on a variable that it could not read', () => {
    expect(faultsOf({ KAFKA_BROKERS: ',' })).toEqual([expect.stringContaining('comma-separated list')]);
  });
});
