import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { addressOf } from '@runlog/topic-io/kafka/broker-address';
import { freePorts } from './free-ports.ts';
import { stopProcess } from './stop-process.ts';

/**
 * Brokers that run Apache Kafka from its Maven artifacts, on this machine's Java. The child processes end with this
 * process.
 */
export interface MavenBrokers extends AsyncDisposable {
  readonly way: 'maven';
  readonly brokers: readonly string[];
  readonly version: string;
  /** Where the extra listeners are bound: the port of each by its name, for each broker. */
  readonly listenerPorts: readonly Readonly<Record<string, number>>[];
  /** A classpath for java with Kafka's own tools and clients of this version. */
  readonly classpath: string;
  /** Sends the signal. For SIGSTOP it resolves when the broker has stopped. */
  kill(index: number, signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Starts a killed broker again with its own data and port. Resolves when it serves. */
  restart(index: number): Promise<void>;
  stop(): Promise<void>;
}

/** What a cluster of a test has that is not the usual: by default it is the newest version with one open listener. */
export interface MavenBrokerOptions {
  readonly count: number;
  /** A release of Apache Kafka; each is downloaded once. */
  readonly version?: string;
  /** Further settings of every broker. They win over those of the tests. */
  readonly properties?: Readonly<Record<string, string | number | boolean>>;
  /**
   * Listeners beside the open one, which the brokers use among themselves. Their settings (keys, JAAS) are in
   * `properties`.
   */
  readonly listeners?: readonly ExtraListener[];
  /** Further arguments of the tool that formats the data folder, such as `--add-scram`. */
  readonly formatArguments?: readonly string[];
  /** Further flags of each broker's JVM, such as system properties. */
  readonly jvmFlags?: readonly string[];
  /** A folder with classes of a test's own that the settings name. */
  readonly classFolder?: string;
}

export interface ExtraListener {
  /** In capitals. */
  readonly name: string;
  readonly protocol: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';
  /** Where it is bound, and what clients are told; 127.0.0.1 unless set. */
  readonly host?: string;
  /** The port that clients are told, if it is not the listener's own: that of a proxy. One for each broker. */
  readonly advertisedPorts?: readonly number[];
}

export const KAFKA_VERSION = '4.3.1';
const JAVA_VERSION_MIN = 17;
/** The bound is generous for three JVMs on two busy cores. */
const START_TIMEOUT_MS = 180_000;
/** The number of attempts, because another test may have taken one of the ports between the choice and the start. */
const STARTS_MAX = 3;
const LOOPBACK = '127.0.0.1';
const PORT_TAKEN = /Address already in use/;
const CLUSTER_ID = 'cnVubG9nLXRlc3QtMDAwMA';
const JVM_FLAGS = ['-Xms256m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const LAST_LINES = 60;

const run = promisify(execFile);

/** Says why Kafka cannot be started from Maven here. Resolves to null if it can. */
export async function mavenObstacle(): Promise<string | null> {
  let javaVersion: string;
  try {
    javaVersion = (await run('java', ['-version'])).stderr;
  } catch {
    return 'there is no `java` on the PATH';
  }
  const major = Number(/version "(\d+)/.exec(javaVersion)?.[1] ?? 0);
  if (major < JAVA_VERSION_MIN) return `java is version ${major}, Kafka needs ${JAVA_VERSION_MIN} or newer`;
  if (await hasJars(cacheFolder(KAFKA_VERSION))) return null;
  try {
    await run('mvn', ['-v']);
  } catch {
    return 'there is no `mvn` on the PATH';
  }
  return null;
}

export async function startMavenBrokers(options: MavenBrokerOptions): Promise<MavenBrokers> {
  for (let start = 1; ; start += 1) {
    try {
      return await startOnFreePorts(options);
    } catch (error) {
      if (start === STARTS_MAX || !PORT_TAKEN.test(describe(error))) throw error;
    }
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.message}\n${describe(error.cause)}` : String(error);
}

async function startOnFreePorts(options: MavenBrokerOptions): Promise<MavenBrokers> {
  const { count, version = KAFKA_VERSION, listeners = [] } = options;
  const jars = await resolveJars(version);
  const folder = await mkdtemp(join(tmpdir(), 'runlog-kafka-'));
  const ports = await freePorts(count * (2 + listeners.length));
  const nodes: Node[] = Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    port: ports[index] as number,
    controllerPort: ports[count + index] as number,
    listeners: listeners.map(({ name, protocol, host = LOOPBACK, advertisedPorts }, at) => {
      const port = ports[count * (2 + at) + index] as number;
      return { name, protocol, host, port, advertisedPort: advertisedPorts?.[index] ?? port };
    }),
  }));
  const log4jFile = join(folder, 'log4j2.properties');
  await writeFile(log4jFile, LOG4J2);
  const java = [
    '-cp',
    [join(jars, '*'), ...(options.classFolder === undefined ? [] : [options.classFolder])].join(delimiter),
    `-Dlog4j2.configurationFile=${log4jFile}`,
    ...JVM_FLAGS,
    ...(options.jvmFlags ?? []),
  ];
  const processes: (BrokerProcess | undefined)[] = [];
  const fileOf = (id: number) => join(folder, `node-${id}.properties`);

  const start = async (index: number) => {
    const node = nodes[index];
    if (node === undefined) throw new RangeError(`there is no broker ${index}`);
    const broker = new BrokerProcess({ java, file: fileOf(node.id), folder });
    processes[index] = broker;
    await broker.started;
  };
  const stop = async () => {
    await Promise.all(processes.map((broker) => broker?.end('SIGKILL')));
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  };

  try {
    await Promise.all(
      nodes.map(async (node) => {
        const dataFolder = join(folder, `data-${node.id}`);
        const { properties = {} } = options;
        await writeFile(fileOf(node.id), brokerProperties({ node, nodes, dataFolder, properties }));
        await run('java', [
          ...java,
          'kafka.tools.StorageTool',
          'format',
          '-t',
          CLUSTER_ID,
          '-c',
          fileOf(node.id),
          ...(options.formatArguments ?? []),
        ]);
      }),
    );
    await Promise.all(nodes.map((_, index) => start(index)));
  } catch (error) {
    await stop();
    throw new Error('Apache Kafka from Maven did not start', { cause: error });
  }
  return {
    way: 'maven',
    brokers: nodes.map(({ port }) => `127.0.0.1:${port}`),
    version,
    listenerPorts: nodes.map((node) =>
      Object.fromEntries(node.listeners.map(({ name, port }) => [name, port])),
    ),
    classpath: join(jars, '*'),
    async kill(index, signal) {
      const broker = processes[index];
      if (broker === undefined) throw new RangeError(`there is no broker ${index}`);
      if (signal === 'SIGKILL' || signal === 'SIGTERM') await broker.end(signal);
      else if (signal === 'SIGSTOP') await stopProcess(broker.pid);
      else broker.signal(signal);
    },
    restart: start,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** One broker's JVM, with a watchdog that ends it even if this process is killed. */
class BrokerProcess {
  readonly started: Promise<void>;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #onExit: () => void;

  constructor({ java, file, folder }: { java: readonly string[]; file: string; folder: string }) {
    const child = spawn('java', [...java, 'kafka.Kafka', file], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    // The watchdog's standard input closes when this process ends, however it ends.
    const watchdog = spawn('sh', ['-c', 'read _; kill -9 "$0"; rm -rf "$1"', String(child.pid), folder], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    watchdog.unref();
    this.#onExit = () => child.kill('SIGKILL');
    process.once('exit', this.#onExit);
    this.#exited = new Promise((resolve) => {
      child.once('exit', () => {
        watchdog.kill('SIGKILL');
        process.removeListener('exit', this.#onExit);
        resolve();
      });
    });
    const lastLines: string[] = [];
    this.started = new Promise((resolve, reject) => {
      const fail = (reason: string) => reject(new Error(`${reason}\n${lastLines.join('\n')}`));
      const timer = setTimeout(() => fail('Kafka is not ready in time'), START_TIMEOUT_MS);
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        fail(`Kafka ended (${signal ?? code}) before it was ready`);
      });
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          lastLines.push(line);
          if (lastLines.length > LAST_LINES) lastLines.shift();
          if (!line.includes('Kafka Server started')) return;
          clearTimeout(timer);
          resolve();
        });
      }
    });
    // A broker that is killed while it starts must not cause an unhandled rejection.
    this.started.catch(() => undefined);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    this.#child.kill(signal);
    await this.#exited;
  }
}

function cacheFolder(version: string): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'runlog', `kafka-${version}`);
}

async function hasJars(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  return names.some((name) => name.startsWith('kafka_2.13-'));
}

/** Returns the folder with Kafka's jars. It is filled once; several processes may do so at the same time. */
async function resolveJars(version: string): Promise<string> {
  const folder = cacheFolder(version);
  if (await hasJars(folder)) return folder;
  await mkdir(join(folder, '..'), { recursive: true });
  const partial = await mkdtemp(`${folder}-partial-`);
  try {
    const pom = fileURLToPath(new URL('./kafka-pom.xml', import.meta.url));
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${partial}`];
    await run('mvn', ['-q', '-B', '-f', pom, `-Dkafka.version=${version}`, ...goal], {
      maxBuffer: 16 * 1024 * 1024,
    });
    await rename(partial, folder);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    // Another process may have put the folder in place meanwhile.
    if (!(await hasJars(folder))) throw error;
  }
  return folder;
}

interface Node {
  readonly id: number;
  readonly port: number;
  readonly controllerPort: number;
  readonly listeners: readonly {
    readonly name: string;
    readonly protocol: string;
    readonly host: string;
    readonly port: number;
    readonly advertisedPort: number;
  }[];
}

function brokerProperties(options: {
  node: Node;
  nodes: readonly Node[];
  dataFolder: string;
  properties: NonNullable<MavenBrokerOptions['properties']>;
}): string {
  const { node, nodes, dataFolder } = options;
  const copies = Math.min(nodes.length, 3);
  const copiesInSync = copies === 1 ? 1 : 2;
  const { port: openPort } = node;
  const open = {
    ...{ name: 'PLAINTEXT', protocol: 'PLAINTEXT', host: LOOPBACK },
    ...{ port: openPort, advertisedPort: openPort },
  };
  const forClients = [open, ...node.listeners];
  const bound = forClients.map(({ name, host, port }) => `${name}://${addressOf({ host, port })}`);
  const properties: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': nodes.map((n) => `${n.id}@127.0.0.1:${n.controllerPort}`).join(','),
    listeners: [...bound, `CONTROLLER://127.0.0.1:${node.controllerPort}`].join(','),
    'advertised.listeners': forClients
      .map(({ name, host, advertisedPort }) => `${name}://${addressOf({ host, port: advertisedPort })}`)
      .join(','),
    'listener.security.protocol.map': [
      'CONTROLLER:PLAINTEXT',
      ...forClients.map(({ name, protocol }) => `${name}:${protocol}`),
    ].join(','),
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': dataFolder,
    ...testBrokerSettings({ copies, copiesInSync }),
    ...(nodes.length > 1 && { 'broker.session.timeout.ms': 3_000, 'broker.heartbeat.interval.ms': 500 }),
    ...options.properties,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** Returns Kafka settings that make tests quick. The container uses the same ones. */
export function testBrokerSettings(options: { copies: number; copiesInSync: number }) {
  return {
    'auto.create.topics.enable': false,
    'offsets.topic.num.partitions': 3,
    'offsets.topic.replication.factor': options.copies,
    'transaction.state.log.num.partitions': 3,
    'transaction.state.log.replication.factor': options.copies,
    'transaction.state.log.min.isr': options.copiesInSync,
    'share.coordinator.state.topic.replication.factor': options.copies,
    'share.coordinator.state.topic.min.isr': options.copiesInSync,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1_000,
    'log.cleaner.backoff.ms': 200,
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': 500,
  } as const;
}

const LOG4J2 = `rootLogger.level = WARN
rootLogger.appenderRef.stdout.ref = STDOUT
appender.stdout.type = Console
appender.stdout.name = STDOUT
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d %p %m (%c)%n
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = INFO
`;
