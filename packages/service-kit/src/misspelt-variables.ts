import type { Logger } from '@runlog/topic-io/logger';
import { kafkaSecurityEnvironment } from './kafka-security-config.ts';
import { nearestName } from './nearest-name.ts';
import { nearestVariable, PREFIX, variableNames } from './variable-names.ts';

const KAFKA = 'KAFKA_';
const kafkaNames: readonly string[] = [
  'KAFKA_BROKERS',
  ...Object.keys(kafkaSecurityEnvironment).filter((name) => name.startsWith(KAFKA)),
];

/** How other programs call what runlog calls otherwise. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  BOOTSTRAP_SERVERS: 'KAFKA_BROKERS',
  KAFKA_BOOTSTRAP: 'KAFKA_BROKERS',
  KAFKA_BOOTSTRAP_SERVER: 'KAFKA_BROKERS',
  KAFKA_BOOTSTRAP_SERVERS: 'KAFKA_BROKERS',
  KAFKA_BROKER_LIST: 'KAFKA_BROKERS',
  KAFKA_BROKER_URL: 'KAFKA_BROKERS',
  KAFKA_HOST: 'KAFKA_BROKERS',
  KAFKA_HOSTS: 'KAFKA_BROKERS',
  KAFKA_URL: 'KAFKA_BROKERS',
  KAFKA_USER: 'KAFKA_SASL_USERNAME',
  KAFKA_USERNAME: 'KAFKA_SASL_USERNAME',
  KAFKA_PASSWORD: 'KAFKA_SASL_PASSWORD',
  KAFKA_SECURITY_PROTOCOL: 'KAFKA_SSL',
  KAFKA_TLS: 'KAFKA_SSL',
  KAFKA_SSL_CA: 'KAFKA_SSL_CA_FILE',
  KAFKA_SSL_CA_LOCATION: 'KAFKA_SSL_CA_FILE',
  KAFKA_SSL_CERT: 'KAFKA_SSL_CERT_FILE',
  KAFKA_SSL_KEY: 'KAFKA_SSL_KEY_FILE',
};

export interface UnreadVariable {
  readonly variable: string;
  /** The variable that may be meant. */
  readonly nearest: string | null;
  /** Whether that one is not set, so that what was meant has no effect. */
  readonly isMissed: boolean;
}

/**
 * Returns the variables that look like runlog's and that nothing reads. Of those that begin with `KAFKA_` only the ones that
 * may be meant for runlog count, because Kafka's own tools have many more.
 */
export function unreadVariables(env: Readonly<Record<string, string | undefined>>): UnreadVariable[] {
  const unread: UnreadVariable[] = [];
  for (const variable of Object.keys(env).sort()) {
    if (env[variable] === undefined || env[variable] === '') continue;
    if (variableNames.includes(variable) || kafkaNames.includes(variable)) continue;
    const nearest = meant(variable);
    if (nearest === null && !variable.startsWith(PREFIX)) continue;
    unread.push({ variable, nearest, isMissed: nearest !== null && !isSet(env, nearest) });
  }
  return unread;
}

/** It is not a fault, because other software may have variables that are called so. */
export function warnOfUnreadVariables(
  env: Readonly<Record<string, string | undefined>>,
  logger: Pick<Logger, 'warn'>,
): void {
  for (const { variable, nearest, isMissed } of unreadVariables(env)) {
    if (!isMissed && !variable.startsWith(PREFIX)) continue;
    const question = nearest === null ? '' : `; did you mean ${nearest}?`;
    logger.warn({ variable, nearest }, `nothing reads the variable ${variable}${question}`);
  }
}

function meant(variable: string): string | null {
  const elsewhere = ELSEWHERE[variable];
  if (elsewhere !== undefined) return elsewhere;
  if (variable.startsWith(PREFIX)) return nearestVariable(variable);
  if (!variable.startsWith(KAFKA)) return null;
  const known = kafkaNames.map((name) => name.slice(KAFKA.length).toLowerCase());
  const nearest = nearestName(variable.slice(KAFKA.length), known);
  return nearest === null ? null : KAFKA + nearest.toUpperCase();
}

function isSet(env: Readonly<Record<string, string | undefined>>, name: string): boolean {
  return (env[name] ?? '') !== '' || (env[`${name}_FILE`] ?? '') !== '';
}
