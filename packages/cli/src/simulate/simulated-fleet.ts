import type { TelemetryEvent } from '@runlog/schema/events/event';
import { simulateRun, uuid } from './simulated-run.ts';

export interface FleetEvent {
  readonly clusterId: string;
  readonly event: TelemetryEvent;
}

export interface Fleet {
  /** Returns the next event of any run, or null when the fleet was ended and every run has said that it ended. */
  next(): FleetEvent | null;
  /** Ends the fleet: each run says that it is finished, and no new one begins. */
  end(): void;
}

interface Trainer {
  readonly clusterId: string;
  readonly groupIds: readonly string[];
  /** The groups that have not ended. */
  readonly groups: Generator<TelemetryEvent, void>[];
  /** The run's event rate relative to the others: real runs differ in how much they emit. */
  readonly pace: number;
}

const TASKS = ['cifar_scale', 'cifar_blind', 'tinystories', 'imagenet_tiny'];
const REWARD_MODES = ['shaped', 'sparse', 'simplified'];
const CLUSTERS_MAX = 3;

/**
 * Keeps the given number of runs training (each group of a run counts as one): when one ends, the next begins. Every
 * second trainer compares two policies, the groups A and B of one run. The fleet is deterministic in `random` and
 * `clock`.
 */
export function createFleet(options: {
  runs: number;
  random: () => number;
  clock: () => number;
  /** Prefix of every run's name, so that two simulations never share a run. */
  name: string;
}): Fleet {
  const { runs, random, clock, name } = options;
  let ending = false;
  let begun = 0;
  const trainers: Trainer[] = [];

  const begin = (groupIds: readonly string[]): Trainer => {
    const number = begun;
    begun += 1;
    const emitterId = uuid(random);
    const batches = 12 + Math.floor(random() * 30);
    const shared = {
      runId: `${name}-${String(number + 1).padStart(3, '0')}`,
      emitterId,
      task: pick(TASKS, random),
      envs: 4,
      batches,
      seed: Math.floor(random() * 10_000),
    };
    const groups = groupIds.map((groupId, index) =>
      simulateRun(
        {
          ...shared,
          groupId,
          rewardMode: REWARD_MODES[(number + index) % REWARD_MODES.length]!,
          failsInBatch: random() < 0.15 ? 1 + Math.floor(random() * batches) : null,
        },
        { random, clock, ending: () => ending },
      ),
    );
    return { clusterId: `c${(number % CLUSTERS_MAX) + 1}`, groupIds, groups, pace: 0.5 + random() };
  };

  let planned = 0;
  for (let number = 0; planned < runs; number += 1) {
    const groupIds = number % 2 === 1 && runs - planned >= 2 ? ['A', 'B'] : ['default'];
    planned += groupIds.length;
    trainers.push(begin(groupIds));
  }

  return {
    next() {
      while (trainers.length > 0) {
        const trainer = pickByPace(trainers, random);
        const group = trainer.groups[Math.floor(random() * trainer.groups.length)]!;
        const { value, done } = group.next();
        if (!done) return { clusterId: trainer.clusterId, event: value };
        trainer.groups.splice(trainer.groups.indexOf(group), 1);
        if (trainer.groups.length > 0) continue;
        const at = trainers.indexOf(trainer);
        if (ending) trainers.splice(at, 1);
        else trainers[at] = begin(trainer.groupIds);
      }
      return null;
    },
    end() {
      ending = true;
    },
  };
}

function pick<Value>(values: readonly Value[], random: () => number): Value {
  return values[Math.floor(random() * values.length)]!;
}

function pickByPace(trainers: readonly Trainer[], random: () => number): Trainer {
  const weight = (trainer: Trainer) => trainer.pace * trainer.groups.length;
  let at = random() * trainers.reduce((sum, trainer) => sum + weight(trainer), 0);
  for (const trainer of trainers) {
    at -= weight(trainer);
    if (at < 0) return trainer;
  }
  return trainers.at(-1)!;
}
