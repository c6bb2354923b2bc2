import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers';
import { testBrokerSettings } from './broker-maven.ts';
import { freePort } from './free-ports.ts';

/** A broker from Apache Kafka's own image, on this machine's container engine. */
export interface ContainerBroker extends AsyncDisposable {
  readonly way: 'container';
  readonly brokers: readonly string[];
  stop(): Promise<void>;
}

const IMAGE = 'apache/kafka:4.3.1';
const START_TIMEOUT_MS = 120_000;

/** Says why no container can be started here. Resolves to null if one can. */
export async function containerObstacle(): Promise<string | null> {
  try {
    await getContainerRuntimeClient();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.toLowerCase() : String(error);
  }
}

export async function startContainerBroker(): Promise<ContainerBroker> {
  const host = await hostOf();
  // Kafka tells its clients its address, so the port on this side must be known before it starts.
  const port = await freePort();
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': '1@localhost:29093',
    listeners: 'CONTROLLER://:29093,PLAINTEXT_HOST://:9092,PLAINTEXT://:19092',
    'advertised.listeners': `PLAINTEXT_HOST://${host}:${port},PLAINTEXT://localhost:19092`,
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': '/var/lib/kafka/data',
    ...testBrokerSettings({ copies: 1, copiesInSync: 1 }),
  };
  const environment = Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [variableOf(name), String(value)]),
  );
  const container = await new GenericContainer(IMAGE)
    .withEnvironment({ ...environment, CLUSTER_ID: 'cnVubG9nLXRlc3QtMDAwMA' })
    .withExposedPorts({ container: 9092, host: port })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(START_TIMEOUT_MS)
    .start();
  const stop = async () => {
    await container.stop();
  };
  return { way: 'container', brokers: [`${host}:${port}`], stop, [Symbol.asyncDispose]: stop };
}

async function hostOf(): Promise<string> {
  const { info } = await getContainerRuntimeClient();
  const { host } = info.containerRuntime;
  // Kafka listens on IPv4 here, and Node may try ::1 first.
  return host === 'localhost' ? '127.0.0.1' : host;
}

/** Applies the image's rule: a dot becomes one underscore, an underscore two, and a dash three. */
function variableOf(setting: string): string {
  const name = setting.replaceAll('_', '__').replaceAll('-', '___').replaceAll('.', '_');
  return `KAFKA_${name.toUpperCase()}`;
}
