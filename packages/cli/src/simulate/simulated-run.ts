import type { TelemetryEvent } from '@runlog/schema/events/event';
import { eventNames, type KnownEventType, type Payload } from '@runlog/schema/events/event-types';

/** The identity of a simulated trainer: one group of one run. */
export interface RunPlan {
  readonly runId: string;
  readonly groupId: string;
  /** Names the process. The groups that it trains share the name, and each group is numbered from 1. */
  readonly emitterId: string;
  readonly task: string;
  readonly rewardMode: string;
  readonly envs: number;
  readonly batches: number;
  readonly seed: number;
  /** The batch in which the run fails; null if it reaches its end. */
  readonly failsInBatch: number | null;
}

export interface SimulationInputs {
  /** Returns a number that is uniform in [0, 1). */
  readonly random: () => number;
  /** Returns the time of the event that is asked for, in milliseconds since the epoch. */
  readonly clock: () => number;
  /** Returns true if the run is to end with its next event. */
  readonly ending: () => boolean;
}

type SeedStage = 'GERMINATED' | 'TRAINING' | 'BLENDING' | 'HOLDING' | 'FOSSILIZED';

interface Seed {
  readonly seedId: string;
  readonly slotId: string;
  readonly envId: number;
  readonly blueprintId: string;
  readonly params: number;
  stage: SeedStage;
  epochsInStage: number;
  improvement: number;
}

/** The fields that the schema requires, and others that real trainers send. */
type Data<Type extends KnownEventType> = Payload<Type> & Record<string, unknown>;

type Happening = {
  [Type in KnownEventType]: {
    readonly type: Type;
    readonly data: Data<Type>;
    readonly seed?: Seed;
    readonly message?: string;
    readonly epoch?: number;
  };
}[KnownEventType];

const SLOT_IDS = ['r0c0', 'r0c1', 'r1c0', 'r1c1'];
const EPOCHS_PER_BATCH = 3;
const BLUEPRINTS = [
  ['conv_light', 4_800],
  ['conv_heavy', 36_900],
  ['attention', 18_400],
  ['depthwise', 2_900],
  ['norm', 260],
] as const;
const PRUNE_REASONS = ['stagnation', 'no_improvement', 'gradient_ratio', 'param_budget'];

/** The gate at the end of each stage, and the stage that follows it. */
const passages: Readonly<Record<Exclude<SeedStage, 'FOSSILIZED'>, readonly [gate: string, next: SeedStage]>> =
  {
    GERMINATED: ['G1', 'TRAINING'],
    TRAINING: ['G2', 'BLENDING'],
    BLENDING: ['G3', 'HOLDING'],
    HOLDING: ['G5', 'FOSSILIZED'],
  };

/** Generates one training run, from TRAINING_STARTED to RUN_FINISHED or RUN_FAILED, one event at a time. */
export function* simulateRun(plan: RunPlan, inputs: SimulationInputs): Generator<TelemetryEvent, void> {
  let seq = 0;
  const envelope = (event: {
    type: string;
    data: Record<string, unknown>;
    seed?: Seed | undefined;
    message?: string | undefined;
    epoch?: number | undefined;
    severity?: TelemetryEvent['severity'];
  }): TelemetryEvent => {
    seq += 1;
    return {
      event_id: uuid(inputs.random),
      event_type: event.type,
      timestamp: pythonTime(inputs.clock()),
      run_id: plan.runId,
      group_id: plan.groupId,
      emitter_id: plan.emitterId,
      emitter_seq: seq,
      seed_id: event.seed?.seedId ?? null,
      slot_id: event.seed?.slotId ?? null,
      epoch: event.epoch ?? null,
      message: event.message ?? '',
      severity: event.severity ?? 'info',
      data: event.data,
    };
  };
  let batch = 0;
  for (const happening of training(plan, inputs.random)) {
    if (inputs.ending()) break;
    yield envelope(happening);
    if (happening.type !== eventNames.BATCH_EPOCH_COMPLETED) continue;
    batch += 1;
    if (plan.failsInBatch === batch) {
      const reason = 'CUDA out of memory: tried to allocate 1.17 GiB';
      yield envelope({
        type: eventNames.RUN_FAILED,
        message: reason,
        severity: 'error',
        data: { reason, batch },
      });
      return;
    }
  }
  if (seq === 0) return;
  yield envelope({ type: eventNames.RUN_FINISHED, message: `${batch} batches`, data: { batches: batch } });
}

function* training(plan: RunPlan, random: () => number): Generator<Happening, void> {
  yield {
    type: eventNames.TRAINING_STARTED,
    data: startedData(plan),
    message: `${plan.task} on ${plan.envs} envs`,
  };
  const accuracy = Array.from({ length: plan.envs }, () => 10 + 8 * random());
  const seeds: Seed[] = [];
  let params = 0;
  for (let batch = 0; batch < plan.batches; batch += 1) {
    const progress = batch / plan.batches;
    const rewards: number[] = [];
    for (let inner = 1; inner <= EPOCHS_PER_BATCH; inner += 1) {
      const epoch = batch * EPOCHS_PER_BATCH + inner;
      for (let envId = 0; envId < plan.envs; envId += 1) {
        const gain = (92 - accuracy[envId]!) * (0.02 + 0.05 * random()) - 0.6 * random();
        accuracy[envId] = Math.min(99, Math.max(1, accuracy[envId]! + gain));
        yield {
          type: eventNames.EPOCH_COMPLETED,
          epoch,
          data: epochData({ envId, accuracy, inner, batch, random }),
        };
        if (seeds.every((seed) => seed.envId !== envId) && random() < 0.35) {
          const seed = germinate({ envId, epoch, random });
          seeds.push(seed);
          yield germinated(seed, batch);
        } else {
          yield* tend({ seeds, envId, batch, random });
        }
        const reward = gain * 0.1 + 0.2 * (random() - 0.5);
        rewards.push(reward);
        yield {
          type: eventNames.REWARD_COMPUTED,
          epoch,
          data: { env_id: envId, total_reward: rounded(reward), base_acc_delta: rounded(gain) },
        };
      }
    }
    for (const seed of seeds) if (seed.stage === 'FOSSILIZED') params += seed.params;
    seeds.splice(0, seeds.length, ...seeds.filter((seed) => seed.stage !== 'FOSSILIZED'));
    yield { type: eventNames.PPO_UPDATE_COMPLETED, data: ppoData({ progress, update: batch, random }) };
    const averageAccuracy = mean(accuracy);
    yield {
      type: eventNames.BATCH_EPOCH_COMPLETED,
      data: {
        episodes_completed: (batch + 1) * plan.envs,
        batch_idx: batch,
        avg_accuracy: rounded(averageAccuracy),
        avg_reward: rounded(mean(rewards)),
        total_episodes: plan.batches * plan.envs,
        n_envs: plan.envs,
        rolling_accuracy: batch < 3 ? null : rounded(averageAccuracy - random()),
        params_added: params,
      },
    };
  }
}

/** Moves the seed of an environment by one epoch: it may meet a gate, pass on, or be pruned. */
function* tend(at: {
  seeds: Seed[];
  envId: number;
  batch: number;
  random: () => number;
}): Generator<Happening, void> {
  const { seeds, envId, batch, random } = at;
  const seed = seeds.find((candidate) => candidate.envId === envId && candidate.stage !== 'FOSSILIZED');
  if (seed === undefined || seed.stage === 'FOSSILIZED') return;
  seed.epochsInStage += 1;
  seed.improvement += random() - 0.3;
  if (seed.epochsInStage < 2 || random() < 0.3) return;
  const common = { slot_id: seed.slotId, env_id: envId, episode_idx: batch };
  const [gate, next] = passages[seed.stage];
  const passed = random() < 0.75;
  yield {
    type: eventNames.SEED_GATE_EVALUATED,
    seed,
    data: {
      ...common,
      gate,
      passed,
      target_stage: next,
      checks_passed: passed ? ['gradient_health', 'improvement'] : ['gradient_health'],
      checks_failed: passed ? [] : ['improvement'],
      message: passed ? '' : `improvement ${seed.improvement.toFixed(2)} % is too small`,
    },
  };
  if (!passed) {
    if (random() < 0.5) return;
    seeds.splice(seeds.indexOf(seed), 1);
    const reason = PRUNE_REASONS[Math.floor(random() * PRUNE_REASONS.length)]!;
    yield {
      type: eventNames.SEED_PRUNED,
      seed,
      data: { ...common, reason, blueprint_id: seed.blueprintId, improvement: rounded(seed.improvement) },
    };
    return;
  }
  const from = seed.stage;
  seed.stage = next;
  seed.epochsInStage = 0;
  yield {
    type: eventNames.SEED_STAGE_CHANGED,
    seed,
    data: { ...common, from_stage: from, to_stage: next, accuracy_delta: rounded(random()) },
  };
  if (next !== 'FOSSILIZED') return;
  yield {
    type: eventNames.SEED_FOSSILIZED,
    seed,
    data: {
      ...common,
      blueprint_id: seed.blueprintId,
      improvement: rounded(seed.improvement),
      params_added: seed.params,
    },
  };
}

function germinate(at: { envId: number; epoch: number; random: () => number }): Seed {
  const [blueprintId, params] = BLUEPRINTS[Math.floor(at.random() * BLUEPRINTS.length)]!;
  return {
    seedId: `env${at.envId}_seed_${at.epoch}`,
    slotId: SLOT_IDS[Math.floor(at.random() * SLOT_IDS.length)]!,
    envId: at.envId,
    blueprintId,
    params,
    stage: 'GERMINATED',
    epochsInStage: 0,
    improvement: 0,
  };
}

function germinated(seed: Seed, batch: number): Happening {
  const { slotId, envId, blueprintId, params } = seed;
  return {
    type: eventNames.SEED_GERMINATED,
    seed,
    data: { slot_id: slotId, env_id: envId, blueprint_id: blueprintId, params, episode_idx: batch, alpha: 0 },
  };
}

function startedData(plan: RunPlan): Data<typeof eventNames.TRAINING_STARTED> {
  return {
    n_envs: plan.envs,
    max_epochs: plan.batches * EPOCHS_PER_BATCH,
    max_batches: plan.batches,
    task: plan.task,
    host_params: 1_180_000,
    slot_ids: SLOT_IDS,
    seed: plan.seed,
    n_episodes: plan.batches * plan.envs,
    lr: 0.0003,
    clip_ratio: 0.2,
    entropy_coef: 0.01,
    param_budget: 500_000,
    policy_device: 'cuda:0',
    env_devices: Array.from({ length: plan.envs }, (_, index) => `cuda:${index % 2}`),
    reward_mode: plan.rewardMode,
    start_episode: 0,
  };
}

function epochData(at: {
  envId: number;
  accuracy: readonly number[];
  inner: number;
  batch: number;
  random: () => number;
}): Data<typeof eventNames.EPOCH_COMPLETED> {
  const accuracy = at.accuracy[at.envId]!;
  return {
    env_id: at.envId,
    val_accuracy: rounded(accuracy),
    val_loss: rounded(2.4 * (1 - accuracy / 100) + 0.05 * at.random()),
    inner_epoch: at.inner,
    episode_idx: at.batch,
    train_loss: rounded(2.2 * (1 - accuracy / 100) + 0.05 * at.random()),
  };
}

function ppoData(at: {
  progress: number;
  update: number;
  random: () => number;
}): Data<typeof eventNames.PPO_UPDATE_COMPLETED> {
  const { progress, update, random } = at;
  return {
    policy_loss: rounded(-0.02 + 0.04 * random()),
    value_loss: rounded(0.5 * (1 - progress) + 0.1 * random()),
    entropy: rounded(1.6 - 1.1 * progress + 0.1 * random()),
    grad_norm: rounded(0.3 + random()),
    kl_divergence: rounded(0.02 * random()),
    clip_fraction: rounded(0.05 + 0.25 * random()),
    nan_grad_count: 0,
    skipped: random() < 0.03,
    // The first values have no variance yet, and Python divides by it: real trainers send NaN here.
    explained_variance: update < 2 || random() < 0.02 ? Number.NaN : rounded(0.2 + 0.7 * progress),
    learning_rate: 0.0003,
  };
}

/** Encodes the event as Python's `json.dumps` does, with bare NaN and infinities. */
export function encodeEvent(event: TelemetryEvent): Buffer {
  const json = JSON.stringify(event, (_name, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? `\u0001${value}\u0001` : value,
  );
  return Buffer.from(json.replace(/"\\u0001(NaN|-?Infinity)\\u0001"/g, '$1'));
}

/** Formats a time as Python's `isoformat()` does, in UTC. */
function pythonTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000+00:00');
}

/** Returns a random (version 4) UUID. */
export function uuid(random: () => number): string {
  const digits = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16));
  digits[12] = '4';
  digits[16] = '89ab'[Math.floor(random() * 4)]!;
  const hex = digits.join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
