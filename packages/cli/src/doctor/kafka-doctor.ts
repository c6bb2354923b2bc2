import { openLog } from '@runlog/service-kit/log-config';
import { messageOf } from '@runlog/topic-io/error-message';
import { inspectKafka } from '@runlog/topic-io/kafka/inspect-kafka';
import { TopicIoError } from '@runlog/topic-io/topic-io';
import type { Checkup } from './checkup.ts';
import { judgeClocks, judgeRoom } from './clock.ts';
import { examineContents } from './contents.ts';
import type { Examination } from './examination.ts';
import { findingsOf, type Group } from './finding.ts';
import { examineProbe } from './kafka-probe.ts';
import { examineTopics, type KnownTopics } from './kafka-topics.ts';
import { askRights, judgeRights } from './permissions.ts';
import { isReached, judgeReach, reachAll } from './reachability.ts';
import { judgeBrokers } from './versions.ts';

const CLIENT_ID = 'runlog-doctor';
const AFTER_REACHING: readonly Group[] = [
  ...(['versions', 'topics', 'permissions', 'clock', 'codecs', 'transactions', 'probe'] as const),
];

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
  await using inspector = await inspectKafka(options);
  step('going to each broker');
  const reaching = await reachAll(inspector, brokers);
  const protection = {
    tls: Boolean(ssl),
    mechanism: sasl?.mechanism ?? null,
    principal: inspector.principal,
  };
  add(...judgeReach(reaching, protection));
  const reached = [...reaching.given, ...reaching.advertised.map(({ broker }) => broker)].filter(isReached);
  if (reached.length === 0) {
    skip(checkup, AFTER_REACHING, 'because no broker could be reached');
    return;
  }
  add(...judgeBrokers(reached));
  await using io = await openLog(log, { clientId: CLIENT_ID, logger });
  const sights = reaching.given.filter(isReached).map(({ sight }) => sight.brokers.length);
  const of: Examination = {
    ...{ checkup, inspector, io, brokers: Math.max(1, ...sights) },
    access: { brokers, commandConfig: isProven },
  };
  await examineReached(of);
}

/** A check that ends in a fault costs only itself. */
async function examineReached(of: Examination): Promise<void> {
  const { checkup, access } = of;
  const topics = await guarded(checkup, 'topics', () => examineTopics(of));
  const known: KnownTopics = topics ?? { meta: null, names: checkup.log.topics, facts: [] };
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

async function examineRights({ checkup, inspector, access }: Examination, known: KnownTopics): Promise<void> {
  checkup.step('asking for rights');
  const isCreated = known.facts.every(({ kind }) => kind !== 'missing');
  const asked = await askRights(inspector, { role: checkup.role, topics: known.names, isCreated });
  checkup.add(...judgeRights({ ...asked, principal: inspector.principal, access }));
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
    if (!(error instanceof TopicIoError)) throw error;
    checkup.add(findingsOf(group).failed(group, messageOf(error)));
    return null;
  }
}

function skip({ add }: Checkup, groups: readonly Group[], because: string): void {
  add(...groups.map((group) => findingsOf(group).skipped(group, because)));
}
