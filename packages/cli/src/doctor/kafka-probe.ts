import { randomUUID } from 'node:crypto';
import { aclCommand, type Right, rightsOf } from '@runlog/schema/log/rights';
import { adminTool } from '@runlog/topic-io/topic-settings';
import type { Examination } from './examination.ts';
import { findingsOf } from './finding.ts';
import { type Probed, probe } from './probe.ts';

const { skipped } = findingsOf('probe');

/** The probe has a partition for each broker, and so mostly one on each, up to this number. */
const PARTITIONS_MAX = 12;
/** A right to make any topic does not show as a right to make this one. */
const NOT_SHOWN = 'Create';

export interface KafkaProbed extends Probed {
  /** The broker that led each partition. */
  readonly leaders: ReadonlyMap<number, number>;
}

export async function examineProbe(of: Examination): Promise<KafkaProbed | null> {
  const { checkup, inspector, io, brokers, principal, access } = of;
  const { log, signal, step, add } = checkup;
  if (!checkup.probes) {
    add(skipped('probe', 'because --no-probe was given'));
    return null;
  }
  const name = `${log.topics.probe}${randomUUID()}`;
  const rights = rightsOf('doctor', log.topics).filter((right) => right.name === log.topics.probe);
  const to = { ...access, principal: principal ?? 'User:…' };
  const commands = (of: readonly Right[]) => of.map((right) => aclCommand(right, to));
  const denied = await deniedOf(of, name, rights);
  // A topic that could not be deleted again is not made.
  if (denied.some(({ resource }) => resource === 'topic')) {
    const message = 'because this process has not all rights to its throw-away topic';
    add(skipped('probe', message, { remedy: commands(denied) }));
    return null;
  }
  const leaders = new Map<number, number>();
  const probed = await probe({
    ...{ io, name, partitions: Math.min(brokers.size, PARTITIONS_MAX), signal, step, now: Date.now },
    ...{ replicationFactor: log.replicationFactor, compression: checkup.compression },
    deletion: `${adminTool('kafka-topics.sh', access)} --delete --topic ${name}`,
    rights: commands(denied.length > 0 ? denied : rights),
    onCreated: async () => {
      const found = await inspector.topic(name);
      if (found.kind !== 'found') return;
      for (const { partition, leader } of found.partitions)
        if (leader !== null) leaders.set(partition, leader);
    },
  });
  add(...probed.findings);
  return { ...probed, findings: probed.findings, clocks: probed.clocks, leaders };
}

/** Returns what is surely denied of the rights that the probe needs. */
async function deniedOf(
  { inspector }: Examination,
  name: string,
  rights: readonly Right[],
): Promise<Right[]> {
  const ofTopic = (await inspector.topicRights([name])).get(name);
  const denied: Right[] = [];
  for (const right of rights) {
    if (right.resource === 'transactional-id') {
      if ((await inspector.mayWriteUnder(name)) === false) denied.push(right);
      continue;
    }
    const lacking = right.operations.filter((operation) => ofTopic?.(operation) === false);
    const isSure = lacking.some((operation) => operation !== NOT_SHOWN);
    if (isSure) denied.push({ ...right, operations: lacking });
  }
  return denied;
}
