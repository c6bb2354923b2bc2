import { figuresTopicOf, type TopicNames } from './topics.ts';

/** Kafka's resources and operations, as `kafka-acls.sh` names them. */
export type AclResource = 'topic' | 'group' | 'transactional-id' | 'cluster';
export type AclOperation =
  | 'Read'
  | 'Write'
  | 'Describe'
  | 'DescribeConfigs'
  | 'Create'
  | 'Delete'
  | 'IdempotentWrite';

/** What one principal may do with one resource. Read, Write and Delete include Describe. */
export interface Right {
  readonly resource: AclResource;
  readonly name: string;
  /** Whether it holds for every name that begins so: rebuilds number the topics of snapshots (`run-snapshots.v2` …). */
  readonly prefixed: boolean;
  readonly operations: readonly AclOperation[];
}

/** Every process that uses the log itself. The other commands talk to services. */
export const ROLES = [
  'ingest',
  'aggregator',
  'gateway',
  'up',
  'verify',
  'replay',
  'rejected',
  'delete',
  'rebuild',
  'topics',
  'doctor',
] as const;
export type Role = (typeof ROLES)[number];

/**
 * Returns what a role needs on a cluster with an authorizer, and nothing more. The topics exist: somebody with
 * `rightsToCreate` has run `runlog topics --create`, or started a service.
 */
export function rightsOf(role: Role, names: TopicNames): readonly Right[] {
  const { meta, events, rejected, snapshots, group, probe } = names;
  const topic = (name: string, ...operations: AclOperation[]): Right => ({
    resource: 'topic',
    name,
    prefixed: name !== meta && name !== events && name !== rejected,
    operations,
  });
  const stored = (...operations: AclOperation[]) => [
    topic(snapshots, ...operations),
    topic(figuresTopicOf(snapshots), ...operations),
  ];
  const writer = (id: string, prefixed: boolean): Right => ({
    ...{ resource: 'transactional-id', name: id, prefixed },
    operations: ['Write'],
  });
  switch (role) {
    case 'ingest':
      return [
        topic(meta, 'Read', 'DescribeConfigs'),
        topic(events, 'Write', 'DescribeConfigs'),
        topic(rejected, 'Write', 'DescribeConfigs'),
        ...stored('Describe', 'DescribeConfigs'),
      ];
    case 'aggregator':
    case 'up':
      return [
        topic(meta, 'Read', 'DescribeConfigs'),
        topic(events, 'Read', 'Write', 'DescribeConfigs'),
        topic(rejected, 'Write', 'DescribeConfigs'),
        ...stored('Read', 'Write', 'DescribeConfigs'),
        { resource: 'group', name: group, prefixed: false, operations: ['Read'] },
        writer(snapshots, true),
      ];
    case 'gateway':
      return [
        topic(meta, 'Read', 'DescribeConfigs'),
        topic(events, 'Read', 'DescribeConfigs'),
        topic(rejected, 'Describe', 'DescribeConfigs'),
        ...stored('Read', 'DescribeConfigs'),
      ];
    case 'verify':
      return [
        topic(meta, 'Read', 'DescribeConfigs'),
        topic(events, 'Read', 'DescribeConfigs'),
        ...stored('Read', 'DescribeConfigs'),
      ];
    case 'replay':
      return [topic(meta, 'Read', 'DescribeConfigs'), topic(events, 'Read', 'DescribeConfigs')];
    case 'rejected':
      return [topic(rejected, 'Read', 'DescribeConfigs')];
    case 'delete':
      return [
        topic(meta, 'Read', 'DescribeConfigs'),
        topic(events, 'Write', 'DescribeConfigs'),
        topic(snapshots, 'Read', 'DescribeConfigs'),
      ];
    case 'rebuild':
      return [
        topic(meta, 'Read', 'Write', 'DescribeConfigs'),
        topic(events, 'Read', 'DescribeConfigs'),
        topic(rejected, 'Write', 'DescribeConfigs'),
        ...stored('Read', 'Write', 'DescribeConfigs', 'Create', 'Delete'),
        writer(snapshots, true),
        writer(meta, false),
      ];
    case 'topics':
      return [
        topic(meta, 'Read', 'DescribeConfigs'),
        topic(events, 'Describe', 'DescribeConfigs'),
        topic(rejected, 'Describe', 'DescribeConfigs'),
        ...stored('Describe', 'DescribeConfigs'),
      ];
    case 'doctor':
      return [
        topic(meta, 'Read', 'DescribeConfigs'),
        topic(events, 'Read', 'DescribeConfigs'),
        topic(rejected, 'Describe', 'DescribeConfigs'),
        ...stored('Describe', 'DescribeConfigs'),
        topic(probe, 'Read', 'Write', 'DescribeConfigs', 'Create', 'Delete'),
        writer(probe, true),
      ];
    default: {
      const unreachable: never = role;
      throw new Error(`unknown role ${String(unreachable)}`);
    }
  }
}

/**
 * Returns what a service, or `runlog topics --create`, needs in addition if it is to create the topics: the first one to
 * start on an empty cluster also writes the first record of `run-meta`.
 */
export function rightsToCreate({ meta, events, rejected, snapshots }: TopicNames): readonly Right[] {
  const create = (name: string, prefixed: boolean): Right => ({
    ...{ resource: 'topic', name, prefixed },
    operations: ['Create'],
  });
  return [
    { resource: 'topic', name: meta, prefixed: false, operations: ['Create', 'Write'] },
    create(events, false),
    create(rejected, false),
    create(snapshots, true),
    create(figuresTopicOf(snapshots), true),
    { resource: 'transactional-id', name: meta, prefixed: false, operations: ['Write'] },
  ];
}

/**
 * Returns what a gateway, an aggregator or a command needs in addition to say whose open transaction holds events back.
 * Without it they say that one does, where, and how many records.
 */
export function rightsToNameHolders({ events }: TopicNames): readonly Right[] {
  return [
    { resource: 'topic', name: events, prefixed: false, operations: ['Read'] },
    // It is the id of some other application.
    { resource: 'transactional-id', name: '*', prefixed: false, operations: ['Describe'] },
  ];
}

/**
 * Returns the right that allows this, as `rightsOf` has it: one to snapshots or figures holds for every partition and for
 * the topics of later rebuilds, not only for the name that was denied.
 */
export function rightTo(to: {
  readonly resource: AclResource;
  readonly name: string;
  readonly operation: AclOperation;
}): Right {
  const numbered = /^(.*run-(?:snapshots|figures))(?:\.v\d+)?(?:\.\d+)?$/.exec(to.name)?.[1];
  return {
    ...{ resource: to.resource, name: numbered ?? to.name, prefixed: numbered !== undefined },
    operations: [to.operation],
  };
}

/** Returns the command of Kafka's own tool that gives the right. An administrator runs it. */
export function aclCommand(
  { resource, name, prefixed, operations }: Right,
  to: { principal: string; brokers: readonly string[]; commandConfig: boolean },
): string {
  const words = ['kafka-acls.sh', '--bootstrap-server', to.brokers.join(',')];
  // Where clients must log in, the administrator must too.
  if (to.commandConfig) words.push('--command-config', 'admin.properties');
  words.push('--add', '--allow-principal', quoted(to.principal));
  for (const operation of operations) words.push('--operation', operation);
  if (prefixed) words.push('--resource-pattern-type', 'prefixed');
  words.push(`--${resource}`);
  if (resource !== 'cluster') words.push(quoted(name));
  return words.join(' ');
}

/** Quoted where a shell would otherwise take it apart. */
function quoted(word: string): string {
  return /^[\w./:=@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
