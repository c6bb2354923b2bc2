import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { messageOf } from '@runlog/topic-io/error-message';
import { tokenIn } from '@runlog/topic-io/kafka/bearer-token';
import type { KafkaOptions, KafkaSasl, KafkaTls, OauthSasl, Secret } from '@runlog/topic-io/kafka/config';
import { MSK_SIGNER, MSK_SIGNER_VERSION } from '@runlog/topic-io/kafka/msk-token';
import { readSecret } from '@runlog/topic-io/kafka/secrets';
import { certificatesFault, tlsTextFaults } from '@runlog/topic-io/kafka/tls-settings';
import type { Logger } from '@runlog/topic-io/logger';
import { NoTextError, readTextFile } from '@runlog/topic-io/text-file';
import { z } from 'zod';
import { environment } from './read-config.ts';
import { secretFileFault } from './secret-file.ts';

const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer', 'aws-msk-iam'] as const;
const MECHANISM_TEXT = 'plain, scram-sha-256, scram-sha-512, oauthbearer or aws-msk-iam';
const HOST_NAME = /^(?=.*[A-Za-z])[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.?$/;
const PEM_VARIABLE = /_(?:CA|CERT|KEY)_FILE$/;
const TO_PEM =
  ', and so not PEM: "openssl x509 -inform der" makes it of DER, "openssl pkcs12 -nodes" of PKCS #12 (.p12, .pfx), and ' +
  '"keytool -importkeystore -deststoretype pkcs12" makes that of a store of Java';
const EXTENSION = /^([A-Za-z]+)=([\x20-\x7e]+)$/;

/** The variables that say how connections to Kafka are protected. */
export const kafkaSecurityEnvironment = {
  KAFKA_SSL: environment.flag().default(false),
  KAFKA_SSL_CA_FILE: environment.text().optional(),
  KAFKA_SSL_CERT_FILE: environment.text().optional(),
  KAFKA_SSL_KEY_FILE: environment.text().optional(),
  KAFKA_SSL_KEY_PASSPHRASE: environment.text().optional(),
  KAFKA_SSL_KEY_PASSPHRASE_FILE: environment.text().optional(),
  KAFKA_SSL_SERVER_NAME: z.string().regex(HOST_NAME, 'must be a host name').optional(),
  // Kafka's own settings write them in capitals, and that of AWS with underscores.
  KAFKA_SASL_MECHANISM: z
    .string()
    .transform((name) => name.toLowerCase().replaceAll('_', '-'))
    .pipe(z.enum(MECHANISMS, { error: `must be ${MECHANISM_TEXT}` }))
    .optional(),
  KAFKA_SASL_USERNAME: environment.text().optional(),
  KAFKA_SASL_PASSWORD: environment.text().optional(),
  KAFKA_SASL_PASSWORD_FILE: environment.text().optional(),
  KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: environment.url('https://login.example/token').optional(),
  KAFKA_SASL_OAUTHBEARER_CLIENT_ID: environment.text().optional(),
  KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET: environment.text().optional(),
  KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET_FILE: environment.text().optional(),
  KAFKA_SASL_OAUTHBEARER_SCOPE: environment.text().optional(),
  KAFKA_SASL_OAUTHBEARER_CA_FILE: environment.text().optional(),
  KAFKA_SASL_OAUTHBEARER_TOKEN_FILE: environment.text().optional(),
  KAFKA_SASL_OAUTHBEARER_EXTENSIONS: environment
    .list()
    .refine(
      (pairs) => pairs.every((pair) => EXTENSION.test(pair) && !pair.startsWith('auth=')),
      'must be name=value, comma-separated',
    )
    .transform((pairs) => Object.fromEntries(pairs.map((pair) => EXTENSION.exec(pair)!.slice(1))))
    .optional(),
  KAFKA_SASL_AWS_REGION: environment.text().optional(),
  AWS_REGION: environment.text().optional(),
};

const securityVariables = z.object(kafkaSecurityEnvironment);
export type KafkaSecurityVariables = z.infer<typeof securityVariables>;
type VariableName = keyof KafkaSecurityVariables;

/** Returns every fault that only several variables, or the files that they name, show. */
export function kafkaSecurityFaults(variables: KafkaSecurityVariables): string[] {
  return [...tlsFaults(variables), ...saslFaults(variables)];
}

export function kafkaSecurityOf(variables: KafkaSecurityVariables): Pick<KafkaOptions, 'ssl' | 'sasl'> {
  const sasl = saslOf(variables);
  return { ssl: variables.KAFKA_SSL ? tlsOf(variables) : false, ...(sasl === null ? {} : { sasl }) };
}

function tlsFaults(variables: KafkaSecurityVariables): string[] {
  const { KAFKA_SSL, KAFKA_SSL_CERT_FILE, KAFKA_SSL_KEY_FILE } = variables;
  if (!KAFKA_SSL) {
    const useless = namesSet(variables, 'KAFKA_SSL_');
    return useless.length === 0 ? [] : [`${useless.join(', ')} set without TLS: set KAFKA_SSL=true too`];
  }
  const faults: string[] = [];
  if ((KAFKA_SSL_CERT_FILE === undefined) !== (KAFKA_SSL_KEY_FILE === undefined)) {
    faults.push('KAFKA_SSL_CERT_FILE and KAFKA_SSL_KEY_FILE go together: set both');
  }
  const ca = readText(variables, 'KAFKA_SSL_CA_FILE', faults);
  const cert = readText(variables, 'KAFKA_SSL_CERT_FILE', faults);
  const key = readText(variables, 'KAFKA_SSL_KEY_FILE', faults);
  const passphrase = readOneOf(variables, 'KAFKA_SSL_KEY_PASSPHRASE', faults);
  const client = cert === undefined || key === undefined ? undefined : { cert, key, passphrase };
  return [...faults, ...tlsTextFaults({ ca, client })];
}

function saslFaults(variables: KafkaSecurityVariables): string[] {
  const mechanism = variables.KAFKA_SASL_MECHANISM;
  const faults: string[] = [];
  switch (mechanism) {
    case undefined: {
      const useless = namesSet(variables, 'KAFKA_SASL_');
      return useless.length === 0
        ? []
        : [`${useless.join(', ')} set without a mechanism: set KAFKA_SASL_MECHANISM to ${MECHANISM_TEXT}`];
    }
    case 'plain':
    case 'scram-sha-256':
    case 'scram-sha-512':
      require(variables, 'KAFKA_SASL_USERNAME', `KAFKA_SASL_MECHANISM=${mechanism}`, faults);
      requireOneOf(variables, 'KAFKA_SASL_PASSWORD', `KAFKA_SASL_MECHANISM=${mechanism}`, faults);
      return faults;
    case 'oauthbearer':
      return oauthFaults(variables);
    case 'aws-msk-iam':
      if (regionOf(variables) === undefined) {
        faults.push('KAFKA_SASL_MECHANISM=aws-msk-iam needs KAFKA_SASL_AWS_REGION, such as eu-west-1');
      }
      if (!isInstalled(MSK_SIGNER)) {
        faults.push(
          `KAFKA_SASL_MECHANISM=aws-msk-iam needs a package of Amazon's: npm install ${MSK_SIGNER}@${MSK_SIGNER_VERSION}`,
        );
      }
      return faults;
    default: {
      const unreachable: never = mechanism;
      throw new Error(`unknown mechanism ${String(unreachable)}`);
    }
  }
}

function oauthFaults(variables: KafkaSecurityVariables): string[] {
  const endpoint = variables.KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL;
  const file = variables.KAFKA_SASL_OAUTHBEARER_TOKEN_FILE;
  const faults: string[] = [];
  if ((endpoint === undefined) === (file === undefined)) {
    faults.push(
      'KAFKA_SASL_MECHANISM=oauthbearer needs either KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL or ' +
        'KAFKA_SASL_OAUTHBEARER_TOKEN_FILE',
    );
  }
  checkText(variables, 'KAFKA_SASL_OAUTHBEARER_TOKEN_FILE', tokenIn, faults);
  checkText(variables, 'KAFKA_SASL_OAUTHBEARER_CA_FILE', throwIfNoCertificates, faults);
  if (endpoint === undefined) return faults;
  const because = 'KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL';
  require(variables, 'KAFKA_SASL_OAUTHBEARER_CLIENT_ID', because, faults);
  requireOneOf(variables, 'KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET', because, faults);
  return faults;
}

function throwIfNoCertificates(text: string): void {
  const fault = certificatesFault('it', text);
  if (fault !== null) throw new Error(fault);
}

type SecretName = 'KAFKA_SSL_KEY_PASSPHRASE' | 'KAFKA_SASL_PASSWORD' | 'KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET';

function secretOf(variables: KafkaSecurityVariables, name: SecretName): Secret | undefined {
  const file = variables[`${name}_FILE`];
  const value = variables[name];
  if (file !== undefined) return { file };
  return value === undefined ? undefined : { value };
}

/** Returns the secret, and adds a fault if it is set twice or its file cannot be used. */
function readOneOf(
  variables: KafkaSecurityVariables,
  name: SecretName,
  faults: string[],
): string | undefined {
  const fault = secretFileFault(name, variables);
  if (fault !== null) faults.push(fault);
  const secret = secretOf(variables, name);
  return fault !== null || secret === undefined ? undefined : readSecret(secret);
}

function requireOneOf(
  variables: KafkaSecurityVariables,
  name: SecretName,
  because: string,
  faults: string[],
): void {
  readOneOf(variables, name, faults);
  if (secretOf(variables, name) === undefined) faults.push(`${because} needs ${name} or ${name}_FILE`);
}

function require(
  variables: KafkaSecurityVariables,
  name: VariableName,
  because: string,
  faults: string[],
): void {
  if (variables[name] === undefined) faults.push(`${because} needs ${name}`);
}

function readText(
  variables: KafkaSecurityVariables,
  name: VariableName,
  faults: string[],
): string | undefined {
  let text: string | undefined;
  checkText(variables, name, (read) => (text = read), faults);
  return text;
}

function checkText(
  variables: KafkaSecurityVariables,
  name: VariableName,
  check: (text: string) => unknown,
  faults: string[],
): void {
  const file = variables[name];
  if (typeof file !== 'string') return;
  try {
    check(readTextFile(file));
  } catch (error) {
    const hint = error instanceof NoTextError && PEM_VARIABLE.test(name) ? TO_PEM : '';
    faults.push(`${name}=${file} cannot be used: ${messageOf(error)}${hint}`);
  }
}

function namesSet(variables: KafkaSecurityVariables, prefix: string): string[] {
  return Object.entries(variables)
    .filter(([name, value]) => name.startsWith(prefix) && value !== undefined)
    .map(([name]) => name);
}

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

function regionOf(variables: KafkaSecurityVariables): string | undefined {
  return variables.KAFKA_SASL_AWS_REGION ?? variables.AWS_REGION;
}

function tlsOf(variables: KafkaSecurityVariables): KafkaTls {
  const { KAFKA_SSL_CA_FILE, KAFKA_SSL_CERT_FILE, KAFKA_SSL_KEY_FILE, KAFKA_SSL_SERVER_NAME } = variables;
  const passphrase = secretOf(variables, 'KAFKA_SSL_KEY_PASSPHRASE');
  return {
    ...(KAFKA_SSL_CA_FILE === undefined ? {} : { caFile: KAFKA_SSL_CA_FILE }),
    ...(KAFKA_SSL_CERT_FILE === undefined || KAFKA_SSL_KEY_FILE === undefined
      ? {}
      : {
          client: {
            certFile: KAFKA_SSL_CERT_FILE,
            keyFile: KAFKA_SSL_KEY_FILE,
            ...(passphrase === undefined ? {} : { passphrase }),
          },
        }),
    ...(KAFKA_SSL_SERVER_NAME === undefined ? {} : { serverName: KAFKA_SSL_SERVER_NAME }),
  };
}

function saslOf(variables: KafkaSecurityVariables): KafkaSasl | null {
  const mechanism = variables.KAFKA_SASL_MECHANISM;
  switch (mechanism) {
    case undefined:
      return null;
    case 'plain':
    case 'scram-sha-256':
    case 'scram-sha-512':
      return {
        mechanism,
        username: variables.KAFKA_SASL_USERNAME ?? '',
        password: secretOf(variables, 'KAFKA_SASL_PASSWORD') ?? { value: '' },
      };
    case 'oauthbearer':
      return {
        mechanism,
        token: tokenSourceOf(variables),
        extensions: variables.KAFKA_SASL_OAUTHBEARER_EXTENSIONS ?? {},
      };
    case 'aws-msk-iam':
      return { mechanism, region: regionOf(variables) ?? '' };
    default: {
      const unreachable: never = mechanism;
      throw new Error(`unknown mechanism ${String(unreachable)}`);
    }
  }
}

function tokenSourceOf(variables: KafkaSecurityVariables): OauthSasl['token'] {
  const file = variables.KAFKA_SASL_OAUTHBEARER_TOKEN_FILE;
  if (file !== undefined) return { file };
  const scope = variables.KAFKA_SASL_OAUTHBEARER_SCOPE;
  const caFile = variables.KAFKA_SASL_OAUTHBEARER_CA_FILE;
  return {
    url: variables.KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL ?? '',
    clientId: variables.KAFKA_SASL_OAUTHBEARER_CLIENT_ID ?? '',
    clientSecret: secretOf(variables, 'KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET') ?? { value: '' },
    ...(scope === undefined ? {} : { scope }),
    ...(caFile === undefined ? {} : { caFile }),
  };
}

const WRITABLE_BY_OTHERS = 0o002;

/** Warns of what works and is not safe. */
export function warnOfUnsafeSecurity(
  { ssl, sasl }: Pick<KafkaOptions, 'ssl' | 'sasl'>,
  logger: Logger,
): void {
  if (!ssl && sasl !== undefined && !sasl.mechanism.startsWith('scram')) {
    logger.warn(
      { mechanism: sasl.mechanism },
      'what proves who this is goes over the network in the clear: use a listener with TLS and KAFKA_SSL=true',
    );
  }
  for (const file of secretFiles({ ssl, sasl })) {
    if (isWritableByOthers(file)) {
      logger.warn(
        { file },
        'every user of this machine can change this file, which is a secret or a certificate',
      );
    }
  }
}

function secretFiles({ ssl, sasl }: { ssl?: boolean | KafkaTls | undefined; sasl?: KafkaSasl | undefined }) {
  const tls = typeof ssl === 'object' ? ssl : {};
  const secrets: (Secret | undefined)[] = [tls.client?.passphrase];
  const files: (string | undefined)[] = [tls.caFile, tls.client?.certFile, tls.client?.keyFile];
  if (sasl !== undefined && 'password' in sasl) secrets.push(sasl.password);
  if (sasl !== undefined && 'token' in sasl) {
    if ('file' in sasl.token) files.push(sasl.token.file);
    else {
      secrets.push(sasl.token.clientSecret);
      files.push(sasl.token.caFile);
    }
  }
  for (const secret of secrets) if (secret !== undefined && 'file' in secret) files.push(secret.file);
  return files.filter((file) => file !== undefined);
}

function isWritableByOthers(file: string): boolean {
  try {
    return (statSync(file).mode & WRITABLE_BY_OTHERS) !== 0;
  } catch {
    return false;
  }
}
