import { figureName } from '@runlog/run-state/figures/figure-name';
import { FIGURE_POINTS_MAX, FIGURES_MAX, FIGURES_REFUSED_MAX } from '@runlog/schema/limits';
import type { Figure, RunFigures } from '@runlog/schema/run/figures';

/** An event as its emitter wrote it, in the shape of any year. */
export interface RawEvent {
  readonly event_type: string;
  readonly timestamp: string;
  readonly data?: Readonly<Record<string, unknown>> | null | undefined;
}

interface Point {
  readonly x: number;
  readonly t: number;
  readonly value: number | null;
  readonly attempt: number;
}

/**
 * Computes the figures of a run in the plainest way, as a reference for the fold: it keeps every point of every figure, and
 * puts them into buckets at the end. It reads no row of the table of event types. `events` are the run's distinct events in
 * the order of the log.
 */
export function referenceFigures(
  events: readonly RawEvent[],
  pointsMax = FIGURE_POINTS_MAX,
): Pick<RunFigures, 'figures' | 'figures_refused' | 'refused'> {
  const series = new Map<string, Point[]>();
  const refused = new Set<string>();
  let attempt = 0;
  for (const [index, event] of events.entries()) {
    if (event.event_type === 'TRAINING_STARTED') attempt += 1;
    const { fields, counter } = fieldsOf(event);
    const x = [event.data?.step, counter].find(Number.isFinite) ?? index + 1;
    for (const [name, field] of fields) {
      if (!holdsPoint(field)) continue;
      const value = typeof field === 'number' && Number.isFinite(field) ? field + 0 : null;
      const point = { x: (x as number) + 0, t: Date.parse(event.timestamp), value, attempt };
      if (series.has(name)) series.get(name)!.push(point);
      else if (series.size < FIGURES_MAX) series.set(name, [point]);
      else if (refused.size < FIGURES_REFUSED_MAX) refused.add(name);
    }
  }
  return {
    figures: [...series].map(([name, points]) => figureOf(name, points, pointsMax)),
    figures_refused: refused.size,
    refused: [...refused],
  };
}

/** The fields that are figures, by the figure's name, and the type's own counter. */
function fieldsOf({ event_type: type, data }: RawEvent): {
  fields: readonly (readonly [name: string, value: unknown])[];
  counter?: unknown;
} {
  const at = data ?? {};
  switch (type) {
    case 'BATCH_EPOCH_COMPLETED':
      return {
        fields: [
          ['accuracy', at.avg_accuracy],
          ['reward', at.avg_reward],
          ['rolling_accuracy', at.rolling_accuracy],
        ],
        counter: at.batch_idx,
      };
    case 'PPO_UPDATE_COMPLETED':
      if (at.skipped === true) return { fields: [] };
      return {
        fields: [
          ['entropy', at.entropy],
          ['clip_fraction', at.clip_fraction],
          ['kl_divergence', 'kl_divergence' in at ? at.kl_divergence : at.approx_kl],
          ['policy_loss', at.policy_loss],
          ['value_loss', at.value_loss],
          ['grad_norm', at.grad_norm],
        ],
      };
    case 'EPOCH_COMPLETED':
      return {
        fields: [
          ['val_accuracy', at.val_accuracy],
          ['val_loss', at.val_loss],
        ],
        counter: at.inner_epoch,
      };
    case 'REWARD_COMPUTED':
      return { fields: [['total_reward', at.total_reward]] };
    case 'METRICS':
      return { fields: ownFields(at, (name) => name) };
    default:
      return { fields: WITHOUT_FIGURES.test(type) ? [] : ownFields(at, (name) => `${type}.${name}`) };
  }
}

const WITHOUT_FIGURES =
  /^(SEED_(GERMINATED|STAGE_CHANGED|GATE_EVALUATED|FOSSILIZED|PRUNED|CULLED)|TRAINING_STARTED|RUN_(FINISHED|FAILED|HEARTBEAT)|LOG_RECORD|EMITTER_EVENTS_LOST)$/;

function ownFields(data: object, nameOf: (field: string) => string): (readonly [string, unknown])[] {
  return Object.entries(data)
    .filter(([field]) => field !== 'step' && field !== 'env_id')
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([field, value]) => [figureName(nameOf(field)), value] as const);
}

function holdsPoint(field: unknown): boolean {
  return typeof field === 'number' || ['NaN', 'Infinity', '-Infinity'].includes(field as string);
}

function figureOf(name: string, points: readonly Point[], pointsMax: number): Figure {
  let stride = 1;
  while (points.length > stride * pointsMax) stride *= 2;
  const buckets = Array.from({ length: Math.ceil(points.length / stride) }, (_, index) => {
    const held = points.slice(index * stride, (index + 1) * stride);
    return { held, values: held.map(({ value }) => value).filter((value) => value !== null) };
  });
  const inEach = (column: (values: number[]) => number) =>
    buckets.map(({ values }) => (values.length === 0 ? null : column(values)));
  return {
    name,
    points: points.length,
    without_value: points.filter(({ value }) => value === null).length,
    stride,
    x: buckets.map(({ held }) => held[0]!.x),
    t: buckets.map(({ held }) => held[0]!.t),
    first: inEach((values) => values[0]!),
    last: inEach((values) => values.at(-1)!),
    min: inEach((values) => Math.min(...values)),
    max: inEach((values) => Math.max(...values)),
    count: buckets.map(({ held }) => held.length),
    attempt: buckets.map(({ held }) => held[0]!.attempt),
  };
}
