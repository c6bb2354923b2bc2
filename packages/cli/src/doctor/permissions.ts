import {
  type AclOperation,
  aclCommand,
  type Right,
  type Role,
  rightsOf,
  rightsToCreate,
} from '@runlog/schema/log/rights';
import type { TopicNames } from '@runlog/schema/log/topics';
import type { KafkaInspector } from '@runlog/topic-io/kafka/inspect-kafka';
import type { AdminAccess } from '@runlog/topic-io/topic-settings';
import { type Finding, findingsOf } from './finding.ts';

const { ok, warning, failed, skipped } = findingsOf('permissions');

/** What the cluster says of one right: the operations that are denied, and those of which it says nothing. */
export interface AskedRight {
  readonly right: Right;
  readonly denied: readonly AclOperation[];
  readonly unknown: readonly AclOperation[];
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

/** Asks for everything that the role needs. It writes nothing, under no transactional id either. */
export async function askRights(
  inspector: KafkaInspector,
  of: { readonly role: Role; readonly topics: TopicNames; readonly isCreated: boolean },
): Promise<Pick<PermissionsAsked, 'role' | 'rights' | 'toCreate'>> {
  const rights = rightsOf(of.role, of.topics);
  const toCreate = of.isCreated ? [] : rightsToCreate(of.topics);
  const names = [...rights, ...toCreate]
    .filter(({ resource }) => resource === 'topic')
    .map(({ name }) => name);
  const ofTopics = await inspector.topicRights([...new Set(names)]);
  const ask = async (right: Right): Promise<AskedRight> => {
    const answers = await Promise.all(
      right.operations.map(async (operation) => ({
        operation,
        allowed: await mayDo(inspector, right, { operation, ofTopics }),
      })),
    );
    const said = (wanted: boolean | null) =>
      answers.filter(({ allowed }) => allowed === wanted).map(({ operation }) => operation);
    return { right, denied: said(false), unknown: said(null) };
  };
  return {
    role: of.role,
    rights: await Promise.all(rights.map(ask)),
    toCreate: await Promise.all(toCreate.map(ask)),
  };
}

async function mayDo(
  inspector: KafkaInspector,
  { resource, name, prefixed }: Right,
  of: {
    readonly operation: AclOperation;
    readonly ofTopics: Awaited<ReturnType<KafkaInspector['topicRights']>>;
  },
): Promise<boolean | null> {
  switch (resource) {
    case 'topic':
      return of.ofTopics.get(name)?.(of.operation) ?? null;
    case 'group':
      return await inspector.mayReadGroup(name);
    case 'transactional-id':
      // An id of that kind, as a writer has it.
      return await inspector.mayWriteUnder(prefixed ? `${name}.0` : name);
    case 'cluster':
      return null;
    default: {
      const unreachable: never = resource;
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
  { right, denied }: AskedRight,
  { principal, access }: PermissionsAsked,
): { remedy: string[] } {
  const to = { ...access, principal: principal ?? 'User:…' };
  return { remedy: [aclCommand({ ...right, operations: denied }, to)] };
}
