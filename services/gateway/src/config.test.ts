import { ConfigError } from '@runlog/service-kit/read-config';
import { describe, expect, it } from 'vitest';
import { readGatewayConfig } from './config.ts';

const env = { KAFKA_BROKERS: '127.0.0.1:9092' };

function faultsOf(variables: Record<string, string>): readonly string[] {
  try {
    readGatewayConfig({ ...env, ...variables });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults;
  }
}

describe('the configuration of the gateway', () => {
  it('has the documented defaults', () => {
    expect(readGatewayConfig(env)).toMatchObject({
      ...{ host: '127.0.0.1', port: 8080, allowedOrigins: [] },
      ...{ answeredHosts: [], embedOrigins: [] },
      ...{ connectionsMax: 10_000, drainMs: 3_000 },
    });
  });

  it('answers any host once it is open on purpose, and those of allowed origins before', () => {
    const allowed = { RUNLOG_ALLOWED_ORIGINS: 'https://board.example:8443, *' };
    expect(readGatewayConfig({ ...env, ...allowed }).answeredHosts).toEqual(['board.example']);
    expect(readGatewayConfig({ ...env, ...allowed, RUNLOG_OPEN: 'true' }).answeredHosts).toBeNull();
  });

  it.each(['https://board.example/', 'board.example', 'https://board.example;script-src', 'file://', 'null'])(
    'refuses "%s" as an origin',
    (origin) => {
      for (const variable of ['RUNLOG_ALLOWED_ORIGINS', 'RUNLOG_EMBED_ORIGINS']) {
        expect(faultsOf({ [variable]: origin })).toEqual([
          `${variable} holds "${origin}": an origin is like https://board.example:8443`,
        ]);
      }
    },
  );

  it('reads how many streams it has, and how long closing them may take, within bounds', () => {
    expect(readGatewayConfig({ ...env, RUNLOG_CONNECTIONS_MAX: '50', RUNLOG_DRAIN_MS: '0' })).toMatchObject({
      connectionsMax: 50,
      drainMs: 0,
    });
    expect(faultsOf({ RUNLOG_CONNECTIONS_MAX: '0', RUNLOG_DRAIN_MS: '10001' })).toEqual([
      'RUNLOG_CONNECTIONS_MAX must be a whole number from 1 to 1000000 (is "0")',
      'RUNLOG_DRAIN_MS must be a whole number from 0 to 10000 (is "10001")',
    ]);
  });

  it('reads where ingest is, as an address without a slash at its end', () => {
    expect(readGatewayConfig(env).ingestUrl).toBeUndefined();
    const variables = { ...env, RUNLOG_INGEST_URL: 'https://runs.example/ingest/' };
    expect(readGatewayConfig(variables).ingestUrl).toBe('https://runs.example/ingest');
    expect(faultsOf({ RUNLOG_INGEST_URL: 'runs.example:4000' })).toEqual([
      'RUNLOG_INGEST_URL must be an http or https URL, such as https://runs.example/ingest (is "runs.example:4000")',
    ]);
  });

  it.each(['0.0.0.0', '::', '192.168.1.4', 'gateway.example'])(
    'refuses to show runs on %s without being told',
    (host) => {
      expect(faultsOf({ RUNLOG_GATEWAY_HOST: host })).toHaveLength(1);
      expect(faultsOf({ RUNLOG_GATEWAY_HOST: host, RUNLOG_OPEN: 'true' })).toEqual([]);
    },
  );

  it.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])('treats %s as this machine', (host) => {
    expect(faultsOf({ RUNLOG_GATEWAY_HOST: host })).toEqual([]);
  });

  it('does not start with keys that cannot be read', () => {
    expect(faultsOf({ RUNLOG_KEYS_FILE: 'keys.json' })[0]).toContain(
      'RUNLOG_KEYS_FILE=keys.json cannot be read',
    );
  });

  it('lists every fault at once', () => {
    const faults = faultsOf({
      RUNLOG_GATEWAY_PORT: 'http',
      RUNLOG_GATEWAY_HOST: '0.0.0.0',
      RUNLOG_ALLOWED_ORIGINS: 'https://a.example, https://b.example/path',
    });
    expect(faults).toHaveLength(3);
  });
});
