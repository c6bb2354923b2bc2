import { aclCommand, type Right, ROLES, rightTo } from '@runlog/schema/log/rights';
import { adminTool } from '../topic-settings.ts';
import { BOUNDS } from './config.ts';
import { type FaultSubject, isDenied, KAFKA, type KafkaFault } from './faults.ts';

const MAPPED = ' (if ssl.principal.mapping.rules of the brokers make no other name of it)';

/** As whom and where this process connects. */
export interface Identity {
  readonly brokers: readonly string[];
  /** Null if only the broker knows it, as with certificates and tokens. */
  readonly user: string | null;
  /** The name in the certificate that the brokers are shown; null if there is none, or it cannot be told. */
  readonly certificate: string | null;
  /** Whether clients must prove who they are. */
  readonly isProven: boolean;
  /** `runlog-` and the name of the service or command. */
  readonly clientId: string;
}

/**
 * Says what an administrator has to do about a fault, with the exact commands. Returns null if there is nothing, or if
 * nothing more can be said.
 */
export function remedyFor(fault: KafkaFault, identity: Identity): string | null {
  const where = identity.brokers.join(', ');
  if (fault.code === KAFKA.saslAuthenticationFailed) {
    const who = identity.user === null ? '' : ` of ${identity.user}`;
    return `${where} does not accept the credentials${who}: check the variables KAFKA_SASL_…, and the user there`;
  }
  if (fault.code === KAFKA.illegalSaslState) {
    return `${where} takes no credentials: leave the variables KAFKA_SASL_… out, or name the port that takes them`;
  }
  if (!isDenied(fault) || fault.subject === null) return null;
  const ofGroup = groupRemedyFor(fault, identity);
  if (ofGroup !== null) return ofGroup;
  const { subject } = fault;
  const principal = principalOf(identity);
  const commands = rightsFor(subject, fault.code).map((right) =>
    aclCommand(right, {
      principal: principal ?? 'User:…',
      brokers: identity.brokers,
      commandConfig: identity.isProven,
    }),
  );
  const who = `${principal ?? 'the principal of this process'}${identity.certificate === null ? '' : MAPPED}`;
  const what = `${subject.resource.replace('-', ' ')} ${subject.name}`;
  const orMake = subject.operation === 'Create' ? ', or makes the topics with "runlog topics --create"' : '';
  return `${who} has no right to ${subject.operation} on ${what}; an administrator gives it with: ${commands.join(' && ')}${orMake}${allOf(identity)}`;
}

/** A broker names one denied right at a time, so a start that is to be granted step by step takes one try for each. */
function allOf({ clientId }: Identity): string {
  const role = ROLES.find((one) => one !== 'doctor' && clientId === `runlog-${one}`);
  return role === undefined ? '' : `; "runlog doctor --role ${role}" lists all that are missing`;
}

/** Returns null if the group does not refuse this process for something other than a right. */
function groupRemedyFor({ code, subject }: KafkaFault, { brokers, isProven }: Identity): string | null {
  switch (code) {
    case KAFKA.inconsistentGroupProtocol: {
      const tool = adminTool('kafka-consumer-groups.sh', { brokers, commandConfig: isProven });
      return (
        'consumers of another kind are in the group, which must be for aggregators alone: stop them, or have them use ' +
        `another group. They are listed by: ${tool} --describe --members --group ${subject?.name}`
      );
    }
    case KAFKA.invalidSessionTimeout:
      return (
        `the brokers do not allow sessions of ${BOUNDS.sessionMs} ms: set group.min.session.timeout.ms to at most, and ` +
        'group.max.session.timeout.ms to at least that in their configuration, and restart them'
      );
    case KAFKA.groupMaxSizeReached:
      return 'the group has as many members as the brokers allow: raise group.max.size, or run fewer aggregators';
    default:
      return null;
  }
}

export function principalOf({ user, certificate, isProven }: Identity): string | null {
  if (certificate !== null) return `User:${certificate}`;
  if (user !== null) return `User:${user}`;
  return isProven ? null : 'User:ANONYMOUS';
}

function rightsFor(subject: FaultSubject, code: number | null): Right[] {
  const { operation } = subject;
  const rights: Right[] = [rightTo(subject)];
  // Before Kafka 3.0, a right to write to a topic did not include to be an idempotent producer.
  if (code === KAFKA.clusterAuthorizationFailed && operation === 'Write') {
    rights.push({
      ...{ resource: 'cluster', name: 'kafka-cluster', prefixed: false },
      operations: ['IdempotentWrite'],
    });
  }
  return rights;
}
