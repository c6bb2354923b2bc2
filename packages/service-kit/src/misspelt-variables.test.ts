import { expect, it } from 'vitest';
import { unreadVariables, warnOfUnreadVariables } from './misspelt-variables.ts';

it.each([
  ['KAFKA_BROKER', 'KAFKA_BROKERS'],
  ['KAFKA_BOOTSTRAP_SERVERS', 'KAFKA_BROKERS'],
  ['KAFKA_SASL_USER', 'KAFKA_SASL_USERNAME'],
  ['KAFKA_SASL_MECHANISMS', 'KAFKA_SASL_MECHANISM'],
  ['KAFKA_SSL_CAFILE', 'KAFKA_SSL_CA_FILE'],
  ['KAFKA_SECURITY_PROTOCOL', 'KAFKA_SSL'],
  ['RUNLOG_TOPICS_PREFIX', 'RUNLOG_TOPIC_PREFIX'],
])('takes %s for %s', (variable, nearest) => {
  expect(unreadVariables({ [variable]: 'x' })).toEqual([{ variable, nearest, isMissed: true }]);
  expect(unreadVariables({ [variable]: 'x', [nearest]: 'y' })).toEqual([
    { variable, nearest, isMissed: false },
  ]);
});

it('leaves the variables of other programs alone', () => {
  const env = {
    KAFKA_HOME: '/opt/kafka',
    KAFKA_HEAP_OPTS: '-Xmx1g',
    KAFKA_OPTS: '',
    PATH: '/bin',
    KAFKA_VERSION: '4',
  };
  expect(unreadVariables(env)).toEqual([]);
});

it('names what only begins like one of runlog', () => {
  expect(unreadVariables({ RUNLOG_QUITE_ANOTHER_THING: '1' })).toEqual([
    { variable: 'RUNLOG_QUITE_ANOTHER_THING', nearest: null, isMissed: false },
  ]);
});

function warningsOf(env: Record<string, string>): string[] {
  const warnings: string[] = [];
  const warn = (_fields: unknown, message: string) => warnings.push(message);
  warnOfUnreadVariables(env, { warn } as unknown as Parameters<typeof warnOfUnreadVariables>[1]);
  return warnings;
}

it.each([
  ['RUNLOG_KEYFILE', 'RUNLOG_KEY_FILE'],
  ['RUNLOG_INGEST_PROT', 'RUNLOG_INGEST_PORT'],
  ['RUNLOG_DATADIR', 'RUNLOG_DATA_DIR'],
])('names %s with the nearest known name, and not its value', (typed, meant) => {
  const expected = `nothing reads the variable ${typed}; did you mean ${meant}?`;
  expect(warningsOf({ [typed]: 'hunter2' })).toEqual([expected]);
});

it('names a variable that is near to none, without a guess', () => {
  expect(warningsOf({ RUNLOG_FAVOURITE_COLOUR: 'red' })).toEqual([
    'nothing reads the variable RUNLOG_FAVOURITE_COLOUR',
  ]);
});

it('warns of a name that other programs have for the brokers only while runlog is told none', () => {
  const env = { KAFKA_BOOTSTRAP_SERVERS: 'kafka:9092' };
  expect(warningsOf(env)).toEqual([
    'nothing reads the variable KAFKA_BOOTSTRAP_SERVERS; did you mean KAFKA_BROKERS?',
  ]);
  expect(warningsOf({ ...env, KAFKA_BROKERS: 'kafka:9092' })).toEqual([]);
});

it('does not mention the variables of another service or of other software', () => {
  const env = { RUNLOG_GATEWAY_PORT: '1', RUNLOG_KEY: 'k', RUNLOGS_X: '1', PATH: '/bin', KAFKA_HOME: '/opt' };
  expect(warningsOf(env)).toEqual([]);
});
