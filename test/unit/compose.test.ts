import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { aggregatorEnvironment, readAggregatorConfig } from '@runlog/aggregator/config';
import { gatewayEnvironment, readGatewayConfig } from '@runlog/gateway/config';
import { ingestEnvironment, readIngestConfig } from '@runlog/ingest/config';
import { logEnvironment } from '@runlog/service-kit/log-config';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

/** The longest drain of a service; see the lifecycle of service-kit. */
const DRAIN_SECONDS_MAX = 25;

interface ComposeService {
  readonly image: string;
  readonly pull_policy?: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly restart: string;
  readonly stop_grace_period: string;
  readonly read_only?: boolean;
  readonly environment: Readonly<Record<string, string | number>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
}

const root = new URL('../../', import.meta.url);
const textOf = (file: string) => readFile(fileURLToPath(new URL(file, root)), 'utf8');
const composeText = await textOf('docker-compose.yml');
const compose = parse(composeText, { merge: true }) as {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};

const { scripts } = JSON.parse(await textOf('package.json')) as { scripts: Record<string, string> };

const longRunning = [
  { name: 'ingest', own: ingestEnvironment, read: readIngestConfig },
  { name: 'aggregator', own: aggregatorEnvironment, read: readAggregatorConfig },
  { name: 'gateway', own: gatewayEnvironment, read: readGatewayConfig },
] as const;

function serviceOf(name: string): ComposeService {
  const service = compose.services[name];
  if (service === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
  return service;
}

function environmentOf(name: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(serviceOf(name).environment).map(([key, value]) => [key, String(value)]),
  );
}

/** Returns the part of Kafka's `NAME://host:port` or `NAME:PROTOCOL` list that begins with a name. */
function listenerOf(variable: string, name: string): string | undefined {
  return environmentOf('kafka')
    [variable]?.split(',')
    .find((part) => part.startsWith(`${name}:`));
}

describe('docker-compose.yml', () => {
  test('publishes every port on the loopback address only', () => {
    const published = Object.values(compose.services).flatMap((service) => service.ports ?? []);
    expect(published.toSorted()).toEqual([
      '127.0.0.1:4000:4000',
      '127.0.0.1:4001:4001',
      '127.0.0.1:8080:8080',
      '127.0.0.1:9092:9092',
    ]);
  });

  test.each(longRunning)('gives $name a configuration that it accepts', ({ name, read }) => {
    const config = read(environmentOf(name));
    expect(config.host).toBe('0.0.0.0');
    expect(config.log.engine).toBe('kafka');
    expect(config.log.brokers).toEqual(['kafka:19092']);
    expect(config.log.replicationFactor).toBeUndefined();
    expect(serviceOf(name).ports).toEqual([`127.0.0.1:${config.port}:${config.port}`]);
  });

  test.each(longRunning)('sets no variable that $name does not read', ({ name, own }) => {
    const known = new Set([...Object.keys(logEnvironment), ...Object.keys(own)]);
    expect(Object.keys(serviceOf(name).environment).filter((variable) => !known.has(variable))).toEqual([]);
  });

  test.each(longRunning)('asks $name on its own port whether it is ready', ({ name, read }) => {
    const [kind, program, option, script] = serviceOf(name).healthcheck?.test ?? [];
    expect([kind, program, option]).toEqual(['CMD', 'node', '-e']);
    expect(script).toContain(`http://127.0.0.1:${read(environmentOf(name)).port}/readyz`);
    // Podman's Docker API splits an argument at its spaces, and compose replaces what follows a dollar sign.
    expect(script).not.toMatch(/[\s$]/);
  });

  test.each(longRunning)('starts $name as node itself, after Kafka and its topics', ({ name }) => {
    const service = serviceOf(name);
    expect(`exec ${service.command?.join(' ')}`).toBe(scripts[name]);
    expect(service.command?.[0]).toBe('node');
    expect(service.command?.at(-1)).toBe(`services/${name}/src/main.ts`);
    expect(service.depends_on).toEqual({
      kafka: { condition: 'service_healthy' },
      topics: { condition: 'service_completed_successfully' },
    });
    expect(service.restart).toBe('unless-stopped');
    expect(service.read_only).toBe(true);
    expect(Number(/^(\d+)s$/.exec(service.stop_grace_period)?.[1])).toBeGreaterThan(DRAIN_SECONDS_MAX);
  });

  test('builds one image, and never looks for it in a registry', () => {
    const names = ['topics', ...longRunning.map(({ name }) => name)];
    expect(names.filter((name) => serviceOf(name).build !== undefined)).toEqual(['topics']);
    for (const name of names) {
      expect(serviceOf(name)).toMatchObject({ image: 'runlog', pull_policy: 'never' });
    }
  });

  test('creates the topics once and does not start again', () => {
    const { command, restart, depends_on } = serviceOf('topics');
    expect(command).toEqual(['runlog', 'topics', '--create']);
    expect(restart).toBe('no');
    expect(depends_on).toEqual({ kafka: { condition: 'service_healthy' } });
  });

  test('tells every client of Kafka an address that it can reach', () => {
    expect(serviceOf('kafka').image).toMatch(/^apache\/kafka:\d+\.\d+\.\d+$/);
    expect(listenerOf('KAFKA_ADVERTISED_LISTENERS', 'PLAINTEXT')).toBe('PLAINTEXT://kafka:19092');
    expect(listenerOf('KAFKA_ADVERTISED_LISTENERS', 'PLAINTEXT_HOST')).toBe(
      'PLAINTEXT_HOST://127.0.0.1:9092',
    );
    for (const name of ['CONTROLLER', 'PLAINTEXT', 'PLAINTEXT_HOST']) {
      expect(listenerOf('KAFKA_LISTENERS', name)).toBeDefined();
      expect(listenerOf('KAFKA_LISTENER_SECURITY_PROTOCOL_MAP', name)).toBe(`${name}:PLAINTEXT`);
    }
  });

  test('keeps the log in a named volume', () => {
    const folder = environmentOf('kafka').KAFKA_LOG_DIRS;
    expect(serviceOf('kafka').volumes).toEqual([`kafka-data:${folder}`]);
    expect(Object.keys(compose.volumes)).toEqual(['kafka-data']);
  });

  test('uses nothing that docker-compose 1.29 or docker compose does not know', () => {
    // `docker compose` warns about a version; 1.29 refuses the others.
    expect(composeText).not.toMatch(/^(?:version|name):/m);
    expect(composeText).not.toMatch(/\b(?:start_interval|develop|include|attach):/);
  });
});

describe('Dockerfile', () => {
  test('installs the dependencies of every workspace', async () => {
    const dockerfile = await textOf('Dockerfile');
    for (const folder of ['packages', 'services']) {
      const found = await readdir(new URL(folder, root), { withFileTypes: true });
      for (const entry of found.filter((candidate) => candidate.isDirectory())) {
        const workspace = `${folder}/${entry.name}`;
        expect(dockerfile).toContain(`\nCOPY ${workspace}/package.json ${workspace}/\n`);
      }
    }
  });

  test('runs as an unprivileged user, in exec form, with nothing from its build stage', async () => {
    const dockerfile = await textOf('Dockerfile');
    const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
    expect(last).toContain('\nUSER node\n');
    expect(last).toMatch(/\nCMD \[.*\]\n/);
    expect(dockerfile).not.toMatch(/npmrc|https?:\/\/|--mount|\bARG\b/);
  });
});
