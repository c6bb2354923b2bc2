import { openLog } from '@runlog/service-kit/log-config';
import { messageOf } from '@runlog/topic-io/error-message';
import { principalFor } from '@runlog/topic-io/kafka/inspect-broker';
import { inspectKafka } from '@runlog/topic-io/kafka/inspect-kafka';
import { isDenial } from '@runlog/topic-io/topic-io';
import type { Checkup } from './checkup.ts';
import { judgeClocks, judgeRoom } from './clock.ts';
import { examineContents } from './contents.ts';
import type { Examination } from './examination.ts';
import { findingsOf, type Group } from './finding.ts';
import { examineProbe } from './kafka-probe.ts';
import { examineTopics, type KnownTopics } from './kafka-topics.ts';
import { askRights, judgeRights } from './permissions.ts';
import { isReached, judgeReach, nodesReached, reachAll } from './reachability.ts';
import { judgeBrokers } from './versions.ts';

const CLIENT_ID = 'runlog-doctor';
const AFTER_VERSIONS: readonly Group[] = [
  ...(['topics', 'permissions', 'clock', 'codecs', 'transactions', 'probe'] as const),
];
const AFTER_REACHING: readonly Group[] = ['versions', ...AFTER_VERSIONS];

/** Looks at a cluster, from its addresses to what lies in its topics. */
export async function examineKafka(checkup: Checkup): Promise<void> {
  const { log, logger, step, add } = checkup;
  const { brokers, ssl, sasl, encoder } = log;
  const isProven = Boolean(ssl) || sasl !== undefined;
  const options = {
    brokers,
    ssl,
    encoder,
    clientId: CLIENT_ID,
    logger,
    ...(sasl === undefined ? {} : { sasl }),
  };
  step('going to each broker');
  const reaching = await reachAll(options);
  const principal = principalFor(options);
  add(...judgeReach(reaching, { tls: Boolean(ssl), mechanism: sasl?.mechanism ?? null, principal }));
  const given = reaching.given.filter(isReached);
  if (given.length === 0) {
    skip(checkup, AFTER_REACHING, 'because no broker could be reached');
    return;
  }
  add(...judgeBrokers([...given, ...reaching.advertised.map(({ broker }) => broker).filter(isReached)]));
  const nodes = nodesReached(reaching);
  if (nodes.size === 0) {
    const because = 'because no broker can be reached at the address that the cluster gives for it';
    skip(checkup, AFTER_VERSIONS, because);
    return;
  }
  // Whoever does not answer has been named, and would cost each further question its time.
  const answering = { ...options, brokers: given.map(({ address }) => address) };
  await using inspector = await inspectKafka(answering);
  await using io = await openLog({ ...log, brokers: answering.brokers }, { clientId: CLIENT_ID, logger });
  const of: Examination = {
    ...{ checkup, inspector, io, principal },
    brokers: new Set(given.flatMap(({ sight }) => sight.brokers.map(({ nodeId }) => nodeId))),
    nodes,
    access: { brokers: answering.brokers, commandConfig: isProven },
  };
  await examineReached(of);
}

/** A check that ends in a fault costs only itself. */
async function examineReached(of: Examination): Promise<void> {
  const { checkup, access } = of;
  const topics = await guarded(checkup, 'topics', () => examineTopics(of));
  const known: KnownTopics = topics ?? { meta: null, facts: [] };
  await guarded(checkup, 'permissions', () => examineRights(of, known));
  checkup.add(...judgeRoom(known.facts, access));
  await examineContents(of, known, (group, work) => guarded(checkup, group, work));
  const probed = await guarded(checkup, 'probe', () => examineProbe(of));
  if (probed === null || probed.clocks.length === 0) {
    skip(checkup, ['clock'], 'because the clocks of brokers are seen only by what the probe writes');
    return;
  }
  checkup.add(...judgeClocks(probed.clocks, { leaders: probed.leaders, topics: known.facts, access }));
}

async function examineRights(
  { checkup, inspector, principal, access }: Examination,
  known: KnownTopics,
): Promise<void> {
  checkup.step('asking for rights');
  const isCreated = known.facts.every(({ kind }) => kind !== 'missing');
  const topics = checkup.log.topics;
  const snapshots = known.meta?.snapshots ?? topics.snapshots;
  const asked = await askRights(inspector, { role: checkup.role, topics, snapshots, isCreated });
  checkup.add(...judgeRights({ ...asked, principal, access }));
}

/** Resolves to null if the work failed, which is then a finding, or if a signal ended the call. */
async function guarded<T>(checkup: Checkup, group: Group, work: () => Promise<T>): Promise<T | null> {
  if (checkup.signal.aborted) {
    skip(checkup, [group], 'because a signal ended it');
    return null;
  }
  try {
    return await work();
  } catch (error) {
    const said = findingsOf(group);
    // The rights that a role needs are judged by themselves, and this role may not need these.
    const isDenied = isDenial(error) && group !== 'permissions';
    checkup.add(
      isDenied
        ? said.skipped(group, `because it is not allowed: ${messageOf(error)}`)
        : said.failed(group, messageOf(error)),
    );
    return null;
  }
}

function skip({ add }: Checkup, groups: readonly Group[], because: string): void {
  add(...groups.map((group) => findingsOf(group).skipped(group, because)));
}
