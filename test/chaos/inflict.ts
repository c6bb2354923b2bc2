import { setTimeout as delay } from 'node:timers/promises';
import { snapshotWriterId } from '@runlog/schema/log/topics';
import type { SeededRandom } from '../simulation/seeded-random.ts';
import { runCli } from '../support/cli-process.ts';
import type { Deployment, Slot } from './deployment.ts';
import type { Leads, PlannedFault } from './fault-plan.ts';
import type { Publisher } from './publisher.ts';
import { answerTo, comesToHold, until } from './until.ts';
import type { Witness } from './witness.ts';

/** Faults last for a number of acknowledged events, or for this time if nothing is acknowledged. */
const FAULT_MS_MAX = 8_000;
/** The time from the last fault until every partition is folded to its end again, on busy cores. */
const RECOVERY_MS_MAX = 180_000;
export const IN_SYNC_MS_MAX = 180_000;
/** The number of attempts to stop an aggregator while it has a transaction open. */
const MID_FLUSH_TRIES = 60;
/** The time within which an ingest usually answers. */
const MS_UNTIL_ANSWERED = 20;
export const BROKER_COPIES = 3;

export interface Scene {
  readonly deployment: Deployment;
  readonly publisher: Publisher;
  readonly witness: Witness;
  /** The name of the current snapshot topic. */
  readonly snapshots: string;
  readonly random: SeededRandom;
  readonly violations: string[];
  readonly say: (line: string) => void;
}

/** Injects the fault, keeps it for as long as planned, heals it, and waits until every partition has a holder again. */
export async function inflict(fault: PlannedFault, scene: Scene): Promise<void> {
  const { deployment, publisher } = scene;
  const { cluster, map } = deployment;
  const { action } = fault;
  const last = async () => {
    const target = publisher.acknowledged + fault.forEvents;
    await comesToHold(() => publisher.acknowledged >= target, FAULT_MS_MAX);
  };
  switch (action.kind) {
    case 'kill':
    case 'leave': {
      const slot = deployment.slot(action.service, action.index);
      if (action.kind === 'leave') await leave(slot, scene);
      else {
        if (slot.service === 'ingest') await aBodyIsUnderWay(slot, scene);
        await deployment.end(slot, 'SIGKILL');
      }
      await last();
      await deployment.start(slot);
      break;
    }
    case 'join': {
      const slot = deployment.addSlot('aggregator');
      await deployment.start(slot);
      await last();
      await everyPartitionOwned(scene);
      await leave(slot, scene);
      break;
    }
    case 'freeze until replaced': {
      const slot = deployment.slot('aggregator', action.index);
      const isMidFlush = await stopInMidFlush(slot, scene);
      await last();
      await everyPartitionOwned(scene);
      deployment.signal(slot, 'SIGCONT');
      scene.say(`${slot.name} continues; it was stopped ${isMidFlush ? 'in mid-flush' : 'between flushes'}`);
      break;
    }
    case 'freeze shortly': {
      const slot = deployment.slot(action.service, action.index);
      deployment.signal(slot, 'SIGSTOP');
      await last();
      deployment.signal(slot, 'SIGCONT');
      break;
    }
    case 'usurp': {
      const id = snapshotWriterId(scene.snapshots, action.partition);
      // Another fault may have hit the broker that grants the id.
      await using _stranger = await answerTo(() => deployment.io.fencedWriter(id), {
        what: () => `a stranger who takes ${id}`,
        withinMs: RECOVERY_MS_MAX,
      });
      break;
    }
    case 'kill broker':
    case 'freeze broker':
      await hitBrokers(scene, async () => {
        const topic = topicOf(action.leads, scene);
        const index = await answerTo(() => map.leader({ topic, partition: action.partition }), {
          what: () => `a leader of ${topic}/${action.partition}`,
          withinMs: RECOVERY_MS_MAX,
        });
        scene.say(`broker ${index} leads ${topic}/${action.partition}`);
        const isKilled = action.kind === 'kill broker';
        await cluster.kill(index, isKilled ? 'SIGKILL' : 'SIGSTOP');
        await last();
        if (isKilled) await cluster.restart(index);
        else await cluster.kill(index, 'SIGCONT');
      });
      break;
    case 'kill all brokers':
      await hitBrokers(scene, async () => {
        const all = [...cluster.brokers.keys()];
        await Promise.all(all.map((index) => cluster.kill(index, 'SIGKILL')));
        await last();
        await Promise.all(all.map((index) => cluster.restart(index)));
      });
      break;
    case 'disturb network': {
      const calm = deployment.network.disturb(scene.random.fork(`network ${publisher.acknowledged}`));
      await last();
      calm();
      break;
    }
    case 'verify': {
      const { code, stdout, stderr } = await runCli(['verify'], deployment.environment);
      scene.say(`verify in the middle: exit ${code}, ${stdout.trim().split('\n').at(-1) ?? stderr}`);
      // Exit code 3 means that the log cannot be reached, which may happen while a broker is down.
      if (code !== 0 && code !== 3)
        scene.violations.push(`verify in the middle ended with ${code}:\n${stdout}${stderr}`);
      break;
    }
    default: {
      const unreachable: never = action;
      throw new Error(`unknown fault ${String(unreachable)}`);
    }
  }
  await everyPartitionOwned(scene);
}

/**
 * Resolves when every checkpoint has passed the present end of the events, which shows that somebody folds and flushes
 * each partition.
 */
export async function everyPartitionOwned(scene: Scene): Promise<void> {
  const { deployment, witness } = scene;
  const { io, topics } = deployment;
  const ends = await answerTo(() => io.bounds(topics.events), {
    what: () => 'the bounds of the events topic',
    withinMs: RECOVERY_MS_MAX,
  });
  const behind = () =>
    ends.flatMap(({ stableEnd }, partition) => {
      const checkpoint = witness.checkpoints.get(partition) ?? -1;
      return checkpoint < stableEnd ? [`${partition} at ${checkpoint} of ${stableEnd}`] : [];
    });
  await until(() => behind().length === 0, {
    what: () => `partitions without a holder that flushes: ${behind().join(', ')}`,
    withinMs: RECOVERY_MS_MAX,
  });
}

/**
 * Resolves at a moment when ingest has most likely appended a body and not yet answered it, so that the client cannot
 * know its fate.
 */
async function aBodyIsUnderWay(slot: Slot, { publisher, random }: Scene): Promise<void> {
  const address = slot.process?.addresses.ingest;
  if (address === undefined) return;
  await Promise.race([publisher.nextPostTo(address), delay(FAULT_MS_MAX, undefined, { ref: false })]);
  await delay(random.between(0, MS_UNTIL_ANSWERED));
}

async function leave(slot: Slot, scene: Scene): Promise<void> {
  const code = await scene.deployment.end(slot, 'SIGTERM');
  if (code !== 0) scene.violations.push(`${slot.name} ended with ${code} on SIGTERM`);
}

/**
 * Stops the process and checks whether it left a transaction open. If not, it lets the process continue and tries
 * again.
 */
async function stopInMidFlush(slot: Slot, scene: Scene): Promise<boolean> {
  const { deployment, snapshots } = scene;
  const open = async () => new Set(await deployment.map.openTransactions(snapshots).catch(() => []));
  for (let tries = 0; tries < MID_FLUSH_TRIES; tries += 1) {
    deployment.signal(slot, 'SIGSTOP');
    const first = await open();
    // A transaction that another aggregator has open is decided a moment later.
    let still = first;
    for (let looks = 0; looks < 4 && still.size > 0; looks += 1) {
      const now = await open();
      still = new Set([...still].filter((partition) => now.has(partition)));
    }
    if (still.size > 0) return true;
    if (tries < MID_FLUSH_TRIES - 1) deployment.signal(slot, 'SIGCONT');
  }
  return false;
}

/** Hits brokers one after the other: a second one only when the first holds every copy again. */
async function hitBrokers(scene: Scene, hit: () => Promise<void>): Promise<void> {
  const { map } = scene.deployment;
  await hit();
  scene.say('all brokers serve again');
  await until(() => map.isInSync(BROKER_COPIES), {
    what: () => 'copies are not in sync again',
    withinMs: IN_SYNC_MS_MAX,
  });
  scene.say('all copies are in sync again');
}

function topicOf(leads: Leads, { deployment, snapshots }: Scene): string {
  switch (leads) {
    case 'events':
      return deployment.topics.events;
    case 'snapshots':
      return snapshots;
    case 'group':
      return '__consumer_offsets';
    case 'transactions':
      return '__transaction_state';
    default: {
      const unreachable: never = leads;
      throw new Error(`nobody leads ${String(unreachable)}`);
    }
  }
}
