import { warnOfUnsafeSecurity } from '@runlog/service-kit/kafka-security-config';
import {
  isLogNamed,
  type LogConfig,
  type LogVariables,
  logConfigOf,
  logEnvironment,
  logFaults,
} from '@runlog/service-kit/log-config';
import { unreadVariables } from '@runlog/service-kit/misspelt-variables';
import { ConfigError, isSecret, readCheckedConfig } from '@runlog/service-kit/read-config';
import { variableNames } from '@runlog/service-kit/variable-names';
import type { Logger } from '@runlog/topic-io/logger';
import { z } from 'zod';
import { upEnvironment, upFaults } from '../up-config.ts';
import { type Finding, findingsOf } from './finding.ts';

const { ok, warning, failed } = findingsOf('configuration');

type Environment = Readonly<Record<string, string | undefined>>;

/** What is wrong with these is no fault of the log: the rest of it can be looked at without them. */
const SIDE_VARIABLE = /^RUNLOG_(?!ENGINE$|DATA_DIR$|TOPIC_PREFIX$|KAFKA_ENCODER$)[A-Z_]+$/;
const VARIABLE = /\b(?:RUNLOG|KAFKA|AWS)_[A-Z_]+/g;

export interface CheckedConfiguration {
  readonly findings: readonly Finding[];
  /** Which log is meant; null if that cannot be read. */
  readonly log: LogConfig | null;
  /** Whether any variable says so. */
  readonly isNamed: boolean;
}

/** Reads the variables of all services, as `runlog up` does, and what looks like one of them and is not. */
export function checkConfiguration(env: Environment): CheckedConfiguration {
  const faults = faultsIn(env);
  const variables = logVariablesOf(env, faults);
  const log = variables === null ? null : logConfigOf(variables, { single: false });
  const findings = [
    ...(log === null ? [] : [whichLog(log), ...unsafe(log)]),
    variablesSet(env),
    ...faults.map((fault) => failed(nameIn(fault), fault)),
    ...unread(env),
  ];
  return { findings, log, isNamed: variables !== null && isLogNamed(variables) };
}

/** All but those of the keys file, which is looked at by itself. */
function faultsIn(env: Environment): readonly string[] {
  try {
    readCheckedConfig(upEnvironment, env, upFaults);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.filter((fault) => !fault.startsWith('RUNLOG_KEYS_FILE='));
  }
}

function logVariablesOf(env: Environment, faults: readonly string[]): LogVariables | null {
  const wrong = faults.flatMap((fault) => fault.match(VARIABLE) ?? []);
  const left = Object.fromEntries(
    Object.entries(env).filter(([name]) => !(wrong.includes(name) && SIDE_VARIABLE.test(name))),
  );
  try {
    return readCheckedConfig(z.object(logEnvironment), left, (read) => logFaults(read, { single: false }));
  } catch (error) {
    if (error instanceof ConfigError) return null;
    throw error;
  }
}

function whichLog({ engine, brokers, dataFolder, topics }: LogConfig): Finding {
  const place = engine === 'kafka' ? `brokers ${brokers.join(', ')}` : `folder ${dataFolder}`;
  return ok('log', `${place}, topic ${topics.events}`, {
    details: { engine, ...(engine === 'kafka' ? { brokers: [...brokers] } : { folder: dataFolder }) },
  });
}

function unsafe(log: LogConfig): Finding[] {
  if (log.engine !== 'kafka') return [];
  const findings: Finding[] = [];
  const note = (fields: object, text: string) => {
    const { file } = fields as { file?: string };
    const of = file === undefined ? '' : `${file}: `;
    findings.push(warning(file ?? 'security', `${of}${text}`));
  };
  const silent = () => undefined;
  const logger: Logger = { debug: silent, info: silent, warn: note, error: silent };
  warnOfUnsafeSecurity(log, logger);
  return findings;
}

function variablesSet(env: Environment): Finding {
  const known = new Set([...variableNames, ...Object.keys(upEnvironment.shape)]);
  const shown = Object.fromEntries(
    Object.keys(env)
      .sort()
      .filter((name) => known.has(name) && (env[name] ?? '') !== '')
      .map((name) => [name, shownValue(name, env[name]!)]),
  );
  const texts = Object.entries(shown).map(([name, value]) => `${name}=${value}`);
  const message = texts.length === 0 ? 'none that runlog reads is set' : `set are ${texts.join(', ')}`;
  return ok('variables', message, { details: shown });
}

/** Never a secret: not in an address either. */
function shownValue(name: string, value: string): string {
  if (isSecret(name) || name === 'KAFKA_SASL_OAUTHBEARER_EXTENSIONS') return '(set)';
  return value.replace(/\/\/[^/@]*@/g, '//…@');
}

function unread(env: Environment): Finding[] {
  return unreadVariables(env).map(({ variable, nearest, isMissed }) => {
    if (isMissed) {
      return failed(variable, `nothing reads ${variable}, and ${nearest} is not set: is that what is meant?`);
    }
    const question = nearest === null ? '' : `; ${nearest} is set and is read`;
    return warning(variable, `nothing reads ${variable}${question}`);
  });
}

function nameIn(fault: string): string {
  return fault.match(VARIABLE)?.[0] ?? 'variables';
}
