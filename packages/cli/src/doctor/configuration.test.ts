import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkConfiguration } from './configuration.ts';
import { checkKeysFile } from './keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'doctor-unit-'));
const failedOf = (env: Record<string, string>) =>
  checkConfiguration(env).findings.filter(({ status }) => status === 'failed');

it('shows what is set, and no secret', () => {
  const { findings, log } = checkConfiguration({
    ...{ KAFKA_BROKERS: 'a:9092', KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'ada' },
    ...{
      KAFKA_SASL_PASSWORD: 'hush',
      RUNLOG_KEY: 'hush',
      RUNLOG_GATEWAY_URL: 'https://ada:hush@runs.example',
    },
  });
  expect(JSON.stringify(findings)).not.toContain('hush');
  const { details } = findings.find(({ name }) => name === 'variables')!;
  expect(details).toMatchObject({ KAFKA_BROKERS: 'a:9092', KAFKA_SASL_PASSWORD: '(set)' });
  expect(log).toMatchObject({ engine: 'kafka', brokers: ['a:9092'] });
});

it('still knows the log if what is wrong has nothing to do with it', () => {
  const { findings, log } = checkConfiguration({
    KAFKA_BROKERS: 'a:1',
    RUNLOG_GATEWAY_PORT: 'x',
    RUNLOG_PARTITIONS: '0',
  });
  expect(log?.brokers).toEqual(['a:1']);
  const names = findings.filter(({ status }) => status === 'failed').map(({ name }) => name);
  expect(names.sort()).toEqual(['RUNLOG_GATEWAY_PORT', 'RUNLOG_PARTITIONS']);
});

it.each([
  [{ KAFKA_BROKERS: 'kafka' }, 'KAFKA_BROKERS'],
  [{ KAFKA_BROKERS: 'kafka://a:1' }, 'KAFKA_BROKERS'],
  [{ RUNLOG_ENGINE: 'kafka' }, 'KAFKA_BROKERS'],
  [{ KAFKA_BROKERS: 'a:1', KAFKA_SSL: 'yes' }, 'KAFKA_SSL'],
  [
    {
      ...{ KAFKA_BROKERS: 'a:1', KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'u' },
      KAFKA_SASL_PASSWORD_FILE: join(folder, 'nowhere'),
    },
    'KAFKA_SASL_PASSWORD_FILE',
  ],
])('does not know the log with %j', (env, name) => {
  expect(checkConfiguration(env).log).toBeNull();
  expect(failedOf(env)).toMatchObject([{ name }]);
});

it('takes a variable that is misspelt for a fault, and a strange one for a warning', () => {
  expect(failedOf({ KAFKA_BROKER: 'a:1' })).toMatchObject([{ name: 'KAFKA_BROKER' }]);
  expect(failedOf({ KAFKA_BROKER: 'a:1', KAFKA_BROKERS: 'a:1', RUNLOG_NONSENSE: '1' })).toEqual([]);
});

it('leaves the file of keys to its own check', () => {
  const path = join(folder, 'keys.json');
  expect(failedOf({ RUNLOG_KEYS_FILE: path })).toEqual([]);
  expect(checkKeysFile(path)).toMatchObject([{ status: 'failed' }]);
  const digest = 'ab'.repeat(32);
  writeFileSync(path, JSON.stringify({ keys: [{ id: 'k', sha256: digest, role: 'view', runs: ['*'] }] }), {
    mode: 0o666,
  });
  const found = checkKeysFile(path);
  expect(JSON.stringify(found)).not.toContain(digest);
  expect(found).toContainEqual(expect.objectContaining({ name: 'publish', status: 'warning' }));
  expect(found[0]).toMatchObject({ status: 'ok', details: { publish: 0, view: 1 } });
});
