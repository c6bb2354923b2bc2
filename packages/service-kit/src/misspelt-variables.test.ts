import { expect, it } from 'vitest';
import { unreadVariables } from './misspelt-variables.ts';

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
