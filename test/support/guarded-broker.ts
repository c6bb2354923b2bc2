import type { AclOperation, AclResource, Right } from '@runlog/schema/log/rights';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { expect, vi } from 'vitest';
import { startCluster } from './broker.ts';
import type { ExtraListener, MavenBrokerOptions, MavenBrokers } from './broker-maven.ts';

const LISTENER = 'GUARDED';
/** `expect.poll` works only within a test, and rights are also given before. */
const SEEN = { timeout: 60_000, interval: 20 };
const CLUSTER_NAME = 'kafka-cluster';

const RESOURCE: Readonly<Record<AclResource, AclResourceTypes>> = {
  topic: AclResourceTypes.TOPIC,
  group: AclResourceTypes.GROUP,
  'transactional-id': AclResourceTypes.TRANSACTIONAL_ID,
  cluster: AclResourceTypes.CLUSTER,
};

const OPERATION: Readonly<Record<AclOperation, AclOperationTypes>> = {
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
  Describe: AclOperationTypes.DESCRIBE,
  DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
  Create: AclOperationTypes.CREATE,
  Delete: AclOperationTypes.DELETE,
  IdempotentWrite: AclOperationTypes.IDEMPOTENT_WRITE,
};

/** What a user of the broker may do. */
export interface Grant {
  readonly user: string;
  readonly right: Right;
}

/**
 * A real broker with an authorizer, on which nobody may do anything that was not granted. Its users log in at a listener of
 * their own; whoever comes to the open one is the administrator.
 */
export class GuardedBroker implements AsyncDisposable {
  readonly cluster: MavenBrokers;
  readonly #admin: Admin;

  private constructor(cluster: MavenBrokers, admin: Admin) {
    this.cluster = cluster;
    this.#admin = admin;
  }

  static async start(options: {
    users: readonly string[];
    listeners?: readonly ExtraListener[];
    properties?: MavenBrokerOptions['properties'];
    classFolder?: string;
  }): Promise<GuardedBroker> {
    const users = options.users.map((user) => `user_${user}="${passwordOf(user)}"`).join(' ');
    const cluster = await startCluster({
      count: 1,
      listeners: [{ name: LISTENER, protocol: 'SASL_PLAINTEXT' }, ...(options.listeners ?? [])],
      properties: {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS',
        'sasl.enabled.mechanisms': 'PLAIN',
        [`listener.name.${LISTENER.toLowerCase()}.plain.sasl.jaas.config`]: `org.apache.kafka.common.security.plain.PlainLoginModule required ${users};`,
        ...options.properties,
      },
      ...(options.classFolder !== undefined && { classFolder: options.classFolder }),
    });
    const kafka = new Kafka({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    return new GuardedBroker(cluster, admin);
  }

  /** Where users log in. */
  get brokers(): readonly string[] {
    return [`127.0.0.1:${this.cluster.listenerPorts[0]![LISTENER]}`];
  }

  /** The variables of a process that logs in as the user. */
  environment(user: string): Record<string, string> {
    return {
      KAFKA_BROKERS: this.brokers.join(','),
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: user,
      KAFKA_SASL_PASSWORD: passwordOf(user),
    };
  }

  /** The way to log in as the user, for `openKafka`. */
  login(user: string) {
    return {
      brokers: this.brokers,
      sasl: { mechanism: 'plain', username: user, password: { value: passwordOf(user) } } as const,
    };
  }

  /** Resolves when the broker applies the grants. */
  async grant(grants: readonly Grant[]): Promise<void> {
    await this.#admin.createAcls({ acl: grants.flatMap(entriesOf) });
    await vi.waitFor(async () => expect(await this.#missing(grants)).toEqual([]), SEEN);
  }

  /** Resolves when the broker no longer applies the grants. */
  async revoke(grants: readonly Grant[]): Promise<void> {
    const entries = grants.flatMap(entriesOf);
    await this.#admin.deleteAcls({
      filters: entries.map(({ resourcePatternType, ...entry }) => ({ ...entry, resourcePatternType })),
    });
    await vi.waitFor(async () => expect((await this.#missing(grants)).length).toBe(entries.length), SEEN);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.disconnect();
    await this.cluster.stop();
  }

  async #missing(grants: readonly Grant[]): Promise<string[]> {
    const { resources } = await this.#admin.describeAcls({
      resourceType: AclResourceTypes.ANY,
      resourcePatternType: ResourcePatternTypes.ANY,
      operation: AclOperationTypes.ANY,
      permissionType: AclPermissionTypes.ANY,
    });
    const present = new Set(
      resources.flatMap(({ acls, ...of }) =>
        acls.map((acl) =>
          [of.resourceType, of.resourceName, of.resourcePatternType, acl.principal, acl.operation].join(' '),
        ),
      ),
    );
    return grants
      .flatMap(entriesOf)
      .map((entry) =>
        [
          entry.resourceType,
          entry.resourceName,
          entry.resourcePatternType,
          entry.principal,
          entry.operation,
        ].join(' '),
      )
      .filter((entry) => !present.has(entry));
  }
}

function passwordOf(user: string): string {
  return `${user}-password`;
}

function entriesOf({ user, right }: Grant) {
  const { resource, name, prefixed, operations } = right;
  return operations.map((operation) => ({
    resourceType: RESOURCE[resource],
    resourceName: resource === 'cluster' ? CLUSTER_NAME : name,
    resourcePatternType: prefixed ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
    principal: `User:${user}`,
    host: '*',
    operation: OPERATION[operation],
    permissionType: AclPermissionTypes.ALLOW,
  }));
}
