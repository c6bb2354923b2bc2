import {
  type AclOperation,
  aclCommand,
  type Right,
  type Role,
  rightsOf,
  rightsToCreate,
} from '@runlog/schema/log/rights';
import {
  figuresTopicOf,
  nextSnapshotTopic,
  snapshotWriterId,
  type TopicNames,
} from '@runlog/schema/log/topics';
import type { KafkaInspector } from '@runlog/topic-io/kafka/inspect-kafka';
import type { AdminAccess } from '@runlog/topic-io/topic-settings';
import { type Finding, findingsOf } from './finding.ts';

const { ok, warning, failed, skipped } = findingsOf('permissions');

/** What the cluster says of one right: the operations that are denied, and those of which it says nothing. */
export interface AskedRight {
  readonly right: Right;
  readonly denied: readonly AclOperation[];
  readonly unknown: readonly AclOperation[];
  /** Those that are allowed for the topic in use, but not for the one that the next rebuild makes. */
  readonly deniedLater: readonly AclOperation[];
}

export interface PermissionsAsked {
  readonly role: Role;
  /** What the role does all the time. */
  readonly rights: readonly AskedRight[];
  /** What it takes to make the topics; empty if they are there. */
  readonly toCreate: readonly AskedRight[];
  readonly principal: string | null;
  readonly access: AdminAccess;
}

export interface RightsWanted {
  readonly role: Role;
  /** The names that the rights are given for. */
  readonly topics: TopicNames;
  /** The topic of snapshots that is in use. */
  readonly snapshots: string;
  readonly isCreated: boolean;
}

/** Asks for everything that the role needs. It writes nothing, under no transactional id either. */
export async function askRights(
  inspector: KafkaInspector,
  wanted: RightsWanted,
): Promise<Pick<PermissionsAsked, 'role' | 'rights' | 'toCreate'>> {
  const rights = rightsOf(wanted.role, wanted.topics);
  const toCreate = wanted.isCreated ? [] : rightsToCreate(wanted.topics);
  const ofTopics = await inspector.topicRights(namesOf([...rights, ...toCreate], wanted));
  const ask = async (right: Right): Promise<AskedRight> => {
    const answers = await Promise.all(
      right.operations.map(async (operation) => ({
        operation,
        allowed: await mayDo(inspector, { right, operation, ofTopics, wanted }),
        later: ofTopics.get(instanceOf(right, wanted, 'next'))?.(operation) ?? null,
      })),
    );
    const said = (found: boolean | null) =>
      answers.filter(({ allowed }) => allowed === found).map(({ operation }) => operation);
    const deniedLater = answers
      .filter(({ allowed, later }) => right.prefixed && allowed === true && later === false)
      .map(({ operation }) => operation);
    return { right, denied: said(false), unknown: said(null), deniedLater };
  };
  return {
    role: wanted.role,
    rights: await Promise.all(rights.map(ask)),
    toCreate: await Promise.all(toCreate.map(ask)),
  };
}

function namesOf(rights: readonly Right[], wanted: RightsWanted): string[] {
  const ofTopics = rights.filter(({ resource }) => resource === 'topic');
  const names = ofTopics.flatMap((right) => [
    instanceOf(right, wanted, 'current'),
    instanceOf(right, wanted, 'next'),
  ]);
  return [...new Set(names)];
}

/** Returns the one name that is asked about, of those that a right is for. */
function instanceOf({ name }: Right, { topics, snapshots }: RightsWanted, which: 'current' | 'next'): string {
  const of = which === 'current' ? snapshots : nextSnapshotTopic(topics, snapshots);
  if (name === topics.snapshots) return of;
  if (name === figuresTopicOf(topics.snapshots)) return figuresTopicOf(of);
  return name;
}

async function mayDo(
  inspector: KafkaInspector,
  of: {
    readonly right: Right;
    readonly operation: AclOperation;
    readonly ofTopics: Awaited<ReturnType<KafkaInspector['topicRights']>>;
    readonly wanted: RightsWanted;
  },
): Promise<boolean | null> {
  const { right, operation, ofTopics, wanted } = of;
  const name = instanceOf(right, wanted, 'current');
  switch (right.resource) {
    case 'topic':
      return ofTopics.get(name)?.(operation) ?? null;
    case 'group':
      return await inspector.mayReadGroup(name);
    case 'transactional-id':
      return await inspector.mayWriteUnder(right.prefixed ? snapshotWriterId(name, 0) : name);
    case 'cluster':
      return null;
    default: {
      const unreachable: never = right.resource;
      throw new Error(`unknown resource ${String(unreachable)}`);
    }
  }
}

export function judgeRights(asked: PermissionsAsked): Finding[] {
  const { role, rights, toCreate, principal } = asked;
  const denied = rights.filter((one) => one.denied.length > 0);
  const unknown = rights.filter((one) => one.unknown.length > 0);
  const who = principal ?? 'the principal of this process';
  const findings: Finding[] = denied.map((one) =>
    failed(nameOf(one.right), lacks(one, asked), remedyOf(one, asked)),
  );
  if (denied.length === 0 && unknown.length < rights.length) {
    findings.push(ok(role, `${who} may do what "${role}" does (${rights.length - unknown.length} rights)`));
  }
  for (const { right, deniedLater } of rights.filter((one) => one.deniedLater.length > 0)) {
    const message = `${who} has the right to ${deniedLater.join(', ')} only for the topic in use, not for the one that the next "runlog rebuild" makes`;
    findings.push(warning(nameOf(right), message, remedyOf({ right, denied: deniedLater }, asked)));
  }
  for (const { right, unknown: operations } of unknown) {
    const message = `the cluster does not say whether ${who} may ${operations.join(', ')}`;
    findings.push(skipped(nameOf(right), message));
  }
  const uncreatable = toCreate.filter((one) => one.denied.length > 0);
  if (uncreatable.length > 0) {
    const commands = uncreatable.flatMap((one) => remedyOf(one, asked).remedy);
    const message = `topics are missing, and ${who} may not make them: somebody else runs "runlog topics --create", or gives the rights`;
    findings.push(warning('create', message, { remedy: commands }));
  }
  return findings;
}

function nameOf({ resource, name, prefixed }: Right): string {
  return `${resource.replace('-', ' ')} ${name}${prefixed ? '…' : ''}`;
}

function lacks({ denied }: AskedRight, { role, principal }: PermissionsAsked): string {
  const who = principal ?? 'the principal of this process';
  return `${who} has no right to ${denied.join(', ')}, which "${role}" needs`;
}

function remedyOf(
  { right, denied }: Pick<AskedRight, 'right' | 'denied'>,
  { principal, access }: PermissionsAsked,
): { remedy: string[] } {
  const to = { ...access, principal: principal ?? 'User:…' };
  return { remedy: [aclCommand({ ...right, operations: denied }, to)] };
}
