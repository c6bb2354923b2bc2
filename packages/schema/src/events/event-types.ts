import * as z from 'zod/mini';
import { ATTEMPTS_MAX, SLOT_IDS_MAX } from '../limits.ts';
import { cutName, cutSlotId } from '../run/cut-text.ts';
import type { TelemetryEvent } from './event.ts';
import { type EventType, eventType, type OlderShape, olderShape } from './event-type.ts';
import {
  type EventLine,
  figureSpan,
  isNotANumber,
  joined,
  kindOf,
  type LineEntry,
  messageSpans,
  oddValueSpans,
  percentagePoints,
  plainLine,
  type Span,
  stageName,
  textOf,
  valueSpans,
} from './line-span.ts';

/**
 * The event types that runlog knows. The fold, the documents and the page read this table. Events of a type that is not in
 * it are kept, counted and shown too (`unknownEventType`). The payloads are part of the fold: a stricter one
 * needs a new FOLD_VERSION (test/unit/judged-by-the-fold.test.ts). zod/mini, because the page carries this table.
 */

/**
 * JSON has no NaN: ingest turns Python's bare literals into these strings, as proto3's JSON writes them. Other libraries
 * write null for every number that JSON has not, so null means "not known".
 */
const float = z.nullable(
  z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])], {
    error: 'must be a number, null, or one of "NaN", "Infinity", "-Infinity"',
  }),
);
type Float = z.infer<typeof float>;
const count = z.int().check(z.gte(0));
/** -1 is the emitters' "unknown". */
const envId = z.int().check(z.gte(-1));
const text = z.string();
const names = z.array(text);

const seedPruned = z.object({ slot_id: text, env_id: envId, reason: text });
const ppoUpdateCompleted = z.object({
  policy_loss: float,
  value_loss: float,
  entropy: float,
  grad_norm: float,
  kl_divergence: float,
  clip_fraction: float,
  nan_grad_count: count,
  skipped: z.nullish(z.boolean()),
});
type PpoUpdate = z.infer<typeof ppoUpdateCompleted>;
/** The older shape has no count. */
type AnyPpoUpdate = Omit<PpoUpdate, 'nan_grad_count'> & { nan_grad_count: number | null };

/** Above it the clip fraction of a PPO update is shown as a warning. */
const CLIP_FRACTION_HIGH = 0.2;

/**
 * The columns of an event that is only counted, logged and shown by its name, as those of unknown types are. It has no
 * figures.
 */
const plain = {
  payload: null,
  older: null,
  page: { class: 'aggregated', kind: null, line: plainLine(null), rollUp: null },
  scope: 'environment',
  status: 'running',
  entry: null,
  told: [],
  valuesFirst: [],
  effect: null,
  figures: null,
} as const;

/** The columns that SEED_PRUNED and its older name share. */
const pruning = {
  payload: seedPruned,
  page: {
    class: 'individual',
    kind: 'PRUNE',
    line: ({ metadata }) => ({
      kind: { text: 'PRUNE', tone: 'bad' },
      text: joined([{ text: textOf(metadata.reason), tone: 'plain' }]),
    }),
    rollUp: null,
  },
  scope: 'environment',
  status: 'running',
  entry(event, metadata) {
    metadata.slot_id = slotOf(event);
    metadata.reason = event.data.reason;
    return 'Pruned';
  },
  told: ['slot_id', 'reason'],
  valuesFirst: [],
  effect(state) {
    state.cumulative_pruned += 1;
  },
  figures: null,
} satisfies Omit<Parameters<typeof eventType<z.infer<typeof seedPruned>>>[0], 'older'>;

export const eventTypes = {
  TRAINING_STARTED: eventType({
    payload: z.object({
      n_envs: count,
      max_epochs: count,
      max_batches: count,
      task: text,
      host_params: float,
      slot_ids: names,
      seed: float,
      n_episodes: count,
      lr: float,
      clip_ratio: float,
      entropy_coef: float,
      param_budget: float,
      policy_device: text,
      env_devices: names,
      reward_mode: text,
      start_episode: z.nullish(count),
    }),
    older: null,
    page: { class: 'individual', kind: 'START', line: startLine, rollUp: null },
    scope: 'run',
    status: 'running',
    entry: null,
    told: [],
    valuesFirst: ['n_envs', 'max_epochs', 'max_batches', 'task', 'host_params', 'seed', 'n_episodes', 'lr'],
    effect(state, { data, timestamp }) {
      const startEpisode = data.start_episode ?? 0;
      state.status = 'running';
      state.attempt += 1;
      const attempt = { seq: state.position.seq, at: timestamp, episode: startEpisode + 0 };
      state.attempts = [...state.attempts, attempt].slice(-ATTEMPTS_MAX);
      if (startEpisode === 0) {
        // A training that starts with its first episode is the run's beginning.
        state.partial ??= false;
      } else if (startEpisode > state.current_episode && state.partial !== true) {
        // It resumes from an episode that no record of this run has reached.
        state.partial = true;
        state.partial_because = 'resumed_from_elsewhere';
      }
      // The first TRAINING_STARTED sets the start of the run, even if other events came before it. Only it sets max_epochs.
      if (state.max_epochs === null) state.started_at = timestamp;
      state.task_name = cutName(data.task);
      state.reward_mode = cutName(data.reward_mode);
      state.slot_ids = data.slot_ids.slice(0, SLOT_IDS_MAX).map(cutSlotId);
      state.n_envs = data.n_envs + 0;
      state.max_batches = data.max_batches + 0;
      state.max_epochs = data.max_epochs + 0;
      state.current_episode = startEpisode + 0;
    },
    figures: null,
  }),
  SEED_GERMINATED: eventType({
    payload: z.object({ slot_id: text, env_id: envId, blueprint_id: text, params: float }),
    older: olderShape({
      payload: z.object({ env_id: envId, blueprint_id: text, params: float }),
      telltale: { has: 'blueprint_id', lacks: 'slot_id' },
      slotInEnvelope: true,
      modernised: (data, slotId) => ({ ...data, slot_id: slotId }),
    }),
    page: {
      class: 'individual',
      kind: 'GERM',
      line: ({ metadata, values }) => ({
        kind: { text: 'GERM', tone: 'germinated' },
        text: joined([{ text: textOf(metadata.blueprint), tone: 'germinated' }, paramsSpan(values.params)]),
      }),
      rollUp: null,
    },
    scope: 'environment',
    status: 'running',
    entry(event, metadata) {
      metadata.slot_id = slotOf(event);
      metadata.blueprint = event.data.blueprint_id;
      return 'Germinated';
    },
    told: ['slot_id', 'blueprint', 'blueprint_id'],
    valuesFirst: ['params'],
    effect(state) {
      state.cumulative_germinated += 1;
    },
    figures: null,
  }),
  SEED_STAGE_CHANGED: eventType({
    payload: z.object({ slot_id: text, env_id: envId, from_stage: text, to_stage: text }),
    older: olderShape({
      payload: z.object({ env_id: envId, from: text, to: text }),
      telltale: { has: 'from', lacks: 'from_stage' },
      slotInEnvelope: true,
      modernised: (data, slotId) => ({
        ...data,
        slot_id: slotId,
        from_stage: data.from,
        to_stage: data.to,
      }),
    }),
    page: {
      class: 'individual',
      kind: 'STAGE',
      line: ({ metadata }) => ({
        kind: { text: 'STAGE', tone: 'changed' },
        text: [{ text: `${stageName(metadata.from)}→${stageName(metadata.to)}`, tone: 'changed' }],
      }),
      rollUp: null,
    },
    scope: 'environment',
    status: 'running',
    entry(event, metadata) {
      metadata.slot_id = slotOf(event);
      metadata.from = event.data.from_stage;
      metadata.to = event.data.to_stage;
      return 'Stage changed';
    },
    told: ['slot_id', 'from', 'to', 'from_stage', 'to_stage'],
    valuesFirst: [],
    effect: null,
    figures: null,
  }),
  SEED_GATE_EVALUATED: eventType({
    payload: z.object({
      slot_id: text,
      env_id: envId,
      gate: text,
      passed: z.boolean(),
      target_stage: text,
      checks_passed: names,
      checks_failed: names,
      message: z.nullish(text),
    }),
    older: null,
    page: { class: 'individual', kind: 'GATE', line: gateLine, rollUp: null },
    scope: 'environment',
    status: 'running',
    entry(event, metadata) {
      const { data } = event;
      metadata.slot_id = slotOf(event);
      metadata.gate = data.gate;
      metadata.target_stage = data.target_stage;
      metadata.result = data.passed ? 'PASS' : 'FAIL';
      if (data.checks_failed.length > 0) metadata.failed_checks = data.checks_failed.length;
      if (data.message) metadata.detail = data.message;
      return 'Gate evaluated';
    },
    told: ['slot_id', 'gate', 'target_stage', 'result', 'passed', 'failed_checks', 'detail', 'message'],
    valuesFirst: [],
    effect: null,
    figures: null,
  }),
  SEED_FOSSILIZED: eventType({
    payload: z.object({
      slot_id: text,
      env_id: envId,
      blueprint_id: text,
      improvement: float,
      params_added: float,
    }),
    older: olderShape({
      payload: z.object({ env_id: envId, blueprint_id: text, improvement: float, params_added: float }),
      telltale: { has: 'blueprint_id', lacks: 'slot_id' },
      slotInEnvelope: true,
      modernised: (data, slotId) => ({ ...data, slot_id: slotId }),
    }),
    page: {
      class: 'individual',
      kind: 'FOSS',
      line: ({ metadata, values }) => ({
        kind: { text: 'FOSS', tone: 'good' },
        text: joined([
          {
            text: percentagePoints(metadata.improvement),
            tone: isNotANumber(metadata.improvement) ? 'bad' : 'good',
          },
          { text: textOf(values.blueprint_id), tone: 'dim' },
        ]),
      }),
      rollUp: null,
    },
    scope: 'environment',
    status: 'running',
    entry(event, metadata) {
      metadata.slot_id = slotOf(event);
      if (event.data.improvement !== null) metadata.improvement = event.data.improvement;
      return 'Fossilized';
    },
    told: ['slot_id', 'improvement'],
    valuesFirst: ['blueprint_id', 'params_added'],
    effect(state) {
      state.cumulative_fossilized += 1;
    },
    figures: null,
  }),
  SEED_PRUNED: eventType({ ...pruning, older: null }),
  /** The name of SEED_PRUNED until December 2025. */
  SEED_CULLED: eventType({
    ...pruning,
    older: olderShape({
      payload: z.object({ env_id: envId, reason: text }),
      telltale: null,
      slotInEnvelope: true,
      modernised: (data, slotId) => ({ ...data, slot_id: slotId }),
    }),
  }),
  PPO_UPDATE_COMPLETED: eventType<PpoUpdate, AnyPpoUpdate>({
    payload: ppoUpdateCompleted,
    older: olderShape({
      payload: z.object({
        policy_loss: float,
        value_loss: float,
        entropy: float,
        clip_fraction: float,
        approx_kl: float,
        skipped: z.nullish(z.boolean()),
      }),
      telltale: { has: 'approx_kl', lacks: 'kl_divergence' },
      slotInEnvelope: false,
      modernised: (data) => ({
        ...data,
        kl_divergence: data.approx_kl,
        grad_norm: null,
        nan_grad_count: null,
      }),
    }),
    page: { class: 'individual', kind: 'PPO', line: ppoLine, rollUp: null },
    scope: 'run',
    status: 'running',
    entry({ data }, metadata) {
      if (data.skipped) {
        metadata.reason = 'buffer rollback';
        return 'PPO skipped';
      }
      if (data.entropy !== null) metadata.entropy = data.entropy;
      if (data.clip_fraction !== null) metadata.clip_fraction = data.clip_fraction;
      return 'PPO update';
    },
    told: ['reason', 'skipped', 'approx_kl'],
    valuesFirst: [
      'policy_loss',
      'value_loss',
      'entropy',
      'grad_norm',
      'kl_divergence',
      'clip_fraction',
      'nan_grad_count',
      'pre_clip_grad_norm',
      'explained_variance',
      'value_nrmse',
      'ev_low_return_variance',
      'ev_return_variance',
      'ev_low_return_variance_count',
      'entropy_loss',
    ],
    effect(state, { data }) {
      // A skipped update holds leftovers of the buffer, not the figures of an update.
      if (data.skipped) return;
      state.ppo = {
        entropy: figure(data.entropy),
        clip_fraction: figure(data.clip_fraction),
        kl_divergence: figure(data.kl_divergence),
      };
    },
    figures: {
      fields: {
        entropy: 'entropy',
        clip_fraction: 'clip_fraction',
        kl_divergence: 'kl_divergence',
        policy_loss: 'policy_loss',
        value_loss: 'value_loss',
        grad_norm: 'grad_norm',
      },
      counter: null,
      unless: ({ data }) => data.skipped === true,
    },
  }),
  BATCH_EPOCH_COMPLETED: eventType({
    payload: z.object({
      episodes_completed: count,
      batch_idx: count,
      avg_accuracy: float,
      avg_reward: float,
      total_episodes: count,
      n_envs: count,
      rolling_accuracy: z.nullish(float),
    }),
    older: null,
    page: {
      class: 'individual',
      kind: 'ROUND',
      line: (entry) => ({
        kind: { text: 'ROUND', tone: 'epoch' },
        text: joined([
          { text: `#${textOf(entry.metadata.batch) || '?'}`, tone: 'epoch' },
          { text: `${textOf(entry.metadata.episodes) || '?'} eps`, tone: 'dim' },
          figureSpan('acc', entry.values.avg_accuracy, { digits: 1, unit: '%' }),
          ...oddValueSpans(entry, ['avg_accuracy']),
        ]),
      }),
      rollUp: null,
    },
    scope: 'run',
    status: 'running',
    entry({ data }, metadata) {
      metadata.batch = data.batch_idx;
      metadata.episodes = data.episodes_completed;
      return 'Batch complete';
    },
    told: ['batch', 'batch_idx', 'episodes', 'episodes_completed'],
    valuesFirst: ['avg_accuracy', 'avg_reward', 'rolling_accuracy', 'total_episodes', 'n_envs'],
    effect(state, { data }) {
      state.current_episode = data.episodes_completed + 0;
      state.current_batch = data.batch_idx + 0;
      state.batch_avg_accuracy = figure(data.avg_accuracy);
      state.batch_avg_reward = figure(data.avg_reward);
    },
    figures: {
      fields: { accuracy: 'avg_accuracy', reward: 'avg_reward', rolling_accuracy: 'rolling_accuracy' },
      counter: 'batch_idx',
    },
  }),
  EPOCH_COMPLETED: eventType({
    payload: z.object({ env_id: envId, val_accuracy: float, val_loss: float, inner_epoch: count }),
    older: null,
    page: {
      class: 'aggregated',
      kind: null,
      line: valueLine('val_accuracy', { kind: { text: 'EPOCH', tone: 'epoch' }, unit: '%', digits: 1 }),
      rollUp: { value: 'val_accuracy', unit: '%', digits: 1 },
    },
    scope: 'environment',
    status: 'running',
    entry: null,
    told: [],
    valuesFirst: ['val_accuracy', 'val_loss', 'inner_epoch'],
    effect: null,
    figures: {
      fields: { val_accuracy: 'val_accuracy', val_loss: 'val_loss' },
      counter: 'inner_epoch',
    },
  }),
  REWARD_COMPUTED: eventType({
    payload: z.object({ env_id: envId, total_reward: z.nullish(float) }),
    older: null,
    page: {
      class: 'aggregated',
      kind: null,
      line: valueLine('total_reward', { kind: { text: 'REWARD', tone: 'dim' }, unit: '', digits: 2 }),
      rollUp: { value: 'total_reward', unit: '', digits: 2 },
    },
    scope: 'environment',
    status: 'running',
    entry: null,
    told: [],
    valuesFirst: ['total_reward'],
    effect: null,
    figures: { fields: { total_reward: 'total_reward' }, counter: null },
  }),
  RUN_FINISHED: eventType({
    ...plain,
    page: {
      class: 'aggregated',
      kind: 'FINISHED',
      line: endLine({ text: 'FINISHED', tone: 'good' }, ''),
      rollUp: null,
    },
    status: 'finished',
  }),
  RUN_FAILED: eventType({
    ...plain,
    page: {
      class: 'aggregated',
      kind: 'FAILED',
      line: endLine({ text: 'FAILED', tone: 'bad' }, 'why: open the event'),
      rollUp: null,
    },
    status: 'failed',
  }),
  /** Shows that a silent run is alive. Only its arrival and its number matter. */
  RUN_HEARTBEAT: eventType({ ...plain, page: { class: 'unlogged' } }),
  LOG_RECORD: eventType({
    ...plain,
    page: { class: 'aggregated', kind: 'LOG', line: plainLine({ text: 'LOG', tone: 'dim' }), rollUp: null },
  }),
  METRICS: eventType({ ...plain, figures: 'own_names' }),
  EMITTER_EVENTS_LOST: eventType({
    ...plain,
    page: {
      class: 'aggregated',
      kind: 'LOST',
      line: plainLine({ text: 'LOST', tone: 'warn' }),
      rollUp: null,
    },
  }),
} satisfies Record<string, EventType>;

export type KnownEventType = keyof typeof eventTypes;
/** The names of the types, for code that has to name one. */
export const eventNames = Object.fromEntries(Object.keys(eventTypes).map((name) => [name, name])) as {
  readonly [Name in KnownEventType]: Name;
};
/** Today's payload of a type. */
export type Payload<Type extends KnownEventType> =
  (typeof eventTypes)[Type] extends EventType<infer Data>
    ? unknown extends Data
      ? Readonly<Record<string, unknown>>
      : Data
    : never;

/** The row of every other type. */
export const unknownEventType: EventType = eventType({ ...plain, figures: 'type_and_name' });

/** This is a map because senders choose the names that are looked up, and `constructor` must not be found. */
const byName: ReadonlyMap<string, EventType> = new Map(Object.entries(eventTypes));

/** Returns the row of a type, or `unknownEventType` if the table does not have it. */
export function eventTypeOf(name: string): EventType {
  return byName.get(name) ?? unknownEventType;
}

/** Returns the short name of a type, as the log shows it: `GATE`, `PRUNE`, `REWARD`. */
export function shortNameOf(name: string): string {
  const { page } = eventTypeOf(name);
  return page.class === 'unlogged' || page.kind === null ? kindOf(name) : page.kind;
}

/** Says whether entries of this type are kept as milestones. */
export function isMilestone(name: string): boolean {
  return eventTypeOf(name).page.class === 'individual';
}

/** Returns the older shape that an event has, before or after validation, or null if it has today's. */
export function olderShapeOf(event: { event_type?: unknown; data?: unknown }): OlderShape | null {
  const older = typeof event.event_type === 'string' ? byName.get(event.event_type)?.older : null;
  if (older == null) return null;
  const { telltale } = older;
  if (telltale === null) return older;
  const { data } = event;
  if (typeof data !== 'object' || data === null) return null;
  return telltale.has in data && !(telltale.lacks in data) ? older : null;
}

/** The slot of the envelope, if it is not empty, takes precedence over that of `data`. */
function slotOf(event: Pick<TelemetryEvent, 'slot_id'> & { readonly data: { slot_id: string } }): string {
  return event.slot_id || event.data.slot_id || '';
}

/** NaN and the infinities come as text. A figure that is not a number counts as unknown. */
function figure(value: Float): number | null {
  return typeof value === 'number' ? value + 0 : null;
}

function startLine(entry: LineEntry): EventLine {
  const { task, n_envs: envs, seed } = entry.values;
  return {
    kind: { text: 'START', tone: 'good' },
    text: joined([
      { text: '▶ TRAINING STARTED', tone: 'good' },
      ...messageSpans(entry),
      { text: textOf(task), tone: 'dim' },
      { text: envs === undefined ? '' : `${envs} envs`, tone: 'dim' },
      { text: seed === undefined ? '' : `seed ${seed}`, tone: 'dim' },
      ...oddValueSpans(entry, ['seed']),
    ]),
  };
}

function gateLine({ metadata }: LineEntry): EventLine {
  const isPassed = metadata.result === 'PASS';
  const failed = metadata.failed_checks;
  return {
    kind: { text: textOf(metadata.gate) || 'GATE', tone: 'changed' },
    text: joined([
      { text: isPassed ? '✓' : '✗', tone: isPassed ? 'good' : 'bad' },
      { text: `→${stageName(metadata.target_stage)}`, tone: 'changed' },
      failed === undefined ? null : { text: `(${failed} failed)`, tone: 'bad' },
      { text: textOf(metadata.detail), tone: 'dim' },
    ]),
  };
}

function ppoLine(entry: LineEntry): EventLine {
  const { entropy, clip_fraction: clip, reason } = entry.metadata;
  const kind = { text: 'PPO', tone: 'ppo' } as const;
  if (reason !== undefined) return { kind, text: [{ text: `skipped (${reason})`, tone: 'warn' }] };
  const clipTone = typeof clip === 'number' && clip > CLIP_FRACTION_HIGH ? 'warn' : 'good';
  return {
    kind,
    text: joined([
      figureSpan('ent', entropy, { digits: 2 }),
      figureSpan('clip', clip, { digits: 0, tone: clipTone, unit: '%', scale: 100 }),
      figureSpan('kl', entry.values.kl_divergence, { digits: 3, tone: 'dim' }),
      ...oddValueSpans(entry, ['kl_divergence']),
    ]),
  };
}

/** The line of a type that has one value in the first place. */
function valueLine(
  name: string,
  { kind, unit, digits }: { kind: Span; unit: string; digits: number },
): (entry: LineEntry) => EventLine {
  return (entry) => ({
    kind,
    text: joined([
      ...messageSpans(entry),
      figureSpan('', entry.values[name], { digits, unit }),
      ...valueSpans(entry, [name]),
    ]),
  });
}

/** The reason of an end is in its message, or else in its data. An entry has no room for a long one: `unsaid` stands for it. */
function endLine(kind: Span, unsaid: string): (entry: LineEntry) => EventLine {
  return (entry) => {
    const message = messageSpans(entry);
    const said = textOf(entry.values.reason);
    const reason =
      message.length > 0
        ? message
        : [said === '' ? ({ text: unsaid, tone: 'dim' } as const) : ({ text: said, tone: 'plain' } as const)];
    const told = message.length > 0 ? [] : ['reason'];
    return { kind, text: joined([...reason, ...valueSpans(entry, told)]) };
  };
}

function paramsSpan(params: LineEntry['values'][string] | undefined): Span | null {
  if (params === undefined) return null;
  if (typeof params !== 'number') return figureSpan('params', params, { digits: 0 });
  return { text: `${params.toLocaleString('en')} params`, tone: 'dim' };
}
