import { z } from 'zod';
import { envelope } from '../events/event.ts';
import { judgeShape } from '../judge-shape.ts';
import {
  FILTER_VALUES_MAX,
  QUERY_CHARS_MAX,
  STREAM_INDEX_ROWS_DEFAULT,
  STREAM_INDEX_ROWS_MAX,
  STREAM_MIN_INTERVAL_MS_MAX,
} from '../limits.ts';
import { askedSlotSchema } from '../run/asked-slot.ts';
import { isGlob } from '../run/run-glob.ts';
import { parseRunKey } from '../run/run-key.ts';
import { RUN_SORT_DEFAULT } from '../run/run-sorting.ts';
import { runWheresSchema } from '../run/run-where.ts';
import {
  positionSchema,
  runGroupFieldSchema,
  runSortSchema,
  runStateSchema,
  severitySchema,
} from '../run/snapshot.ts';
import { type Channel, parseChannel } from './channels.ts';

/** The items of a `sub` frame. Each kind of channel has its own options; any other is refused by name. */

const ch = z.string().max(256);
const values = <Item extends z.ZodType>(item: Item) => z.array(item).min(1).max(FILTER_VALUES_MAX);

export const runSubscriptionSchema = z.strictObject({
  ch,
  /** The position that the client holds. The reply resumes there. */
  since: positionSchema.strict().nullish(),
  /** Only entries of these event types. */
  type: values(envelope.event_type).nullish(),
  /** No entries of these event types. */
  not_type: values(envelope.event_type).nullish(),
  /** Only entries of these environments. */
  env: values(z.int().min(0)).nullish(),
  /** Only entries whose metadata or values have one of these as `slot_id`. */
  slot: values(askedSlotSchema).nullish(),
  /** Only entries of exactly these severities. */
  severity: values(severitySchema).nullish(),
  /** Only entries whose message, type, metadata or values have this part, in upper or lower case. */
  q: z.string().min(1).max(QUERY_CHARS_MAX).nullish(),
  /** The least time between two steps. What happens in between is merged into one. */
  min_interval_ms: z.int().min(0).max(STREAM_MIN_INTERVAL_MS_MAX).nullish(),
});
export type RunSubscription = Readonly<z.infer<typeof runSubscriptionSchema>>;

export const figuresSubscriptionSchema = z.strictObject({ ch });
export type FiguresSubscription = Readonly<z.infer<typeof figuresSubscriptionSchema>>;

export const indexSubscriptionSchema = z.strictObject({
  ch,
  /** Only runs whose key or task has each of these words as a part, in upper or lower case. */
  q: z.string().min(1).max(QUERY_CHARS_MAX).nullish(),
  /** Only runs of this cluster. */
  cluster: z.string().min(1).max(QUERY_CHARS_MAX).nullish(),
  /** Only runs whose task has this part, in upper or lower case. */
  task: z.string().min(1).max(QUERY_CHARS_MAX).nullish(),
  /** Only runs that meet all of these conditions, such as `accuracy>80`. */
  where: runWheresSchema.nullish(),
  /** Only runs in one of these states. */
  status: z.array(runStateSchema).min(1).max(runStateSchema.options.length).nullish(),
  /** A field, or `-` and a field for the greatest first. */
  sort: runSortSchema.nullish().default(RUN_SORT_DEFAULT),
  /** Sorts by this field first, and has the number of runs of each group told. */
  group_by: runGroupFieldSchema.nullish(),
  /** The window: so many rows from `offset` on. */
  limit: z.int().min(1).max(STREAM_INDEX_ROWS_MAX).nullish().default(STREAM_INDEX_ROWS_DEFAULT),
  offset: z.int().min(0).nullish().default(0),
});
/** An index view as a client asks for it. */
export type IndexSubscription = Readonly<z.input<typeof indexSubscriptionSchema>>;

/** What one item of a `sub` frame asks for, judged by the schema of its kind of channel. */
export type SubscriptionRequest =
  | { readonly kind: 'run'; readonly key: string; readonly asked: RunSubscription }
  | { readonly kind: 'figures'; readonly key: string; readonly asked: FiguresSubscription }
  | {
      readonly kind: 'runs';
      readonly glob: string;
      readonly asked: z.output<typeof indexSubscriptionSchema>;
    };

/** An item that cannot be served. `ch` is its channel, if it names one. */
export interface SubscriptionFault {
  readonly kind: 'fault';
  readonly code: 'bad_frame' | 'bad_channel';
  readonly ch: string | null;
  readonly message: string;
}

/** Judges one item of a `sub` frame by the schema of its channel's kind. */
export function parseSubscription(item: unknown): SubscriptionRequest | SubscriptionFault {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    return fault('bad_frame', null, 'an item of "sub" is an object like {"ch":"run:c1/r1/default"}');
  }
  const sent = Object.hasOwn(item, 'ch') ? (item as { ch: unknown }).ch : undefined;
  const name = judgeShape(ch, sent);
  if (!name.success) {
    return fault('bad_frame', null, '"ch" is missing or is not text of up to 256 characters');
  }
  const channel = validChannel(name.data);
  if (channel === null) return fault('bad_channel', name.data, channelNames);
  switch (channel.kind) {
    case 'run': {
      const parsed = judgeShape(runSubscriptionSchema, item);
      if (!parsed.success) return fault('bad_frame', name.data, explainShape(parsed.error));
      return { kind: 'run', key: channel.key, asked: parsed.data };
    }
    case 'figures': {
      const parsed = judgeShape(figuresSubscriptionSchema, item);
      if (!parsed.success) return fault('bad_frame', name.data, explainShape(parsed.error));
      return { kind: 'figures', key: channel.key, asked: parsed.data };
    }
    case 'runs': {
      const parsed = judgeShape(indexSubscriptionSchema, item);
      if (!parsed.success) return fault('bad_frame', name.data, explainShape(parsed.error));
      return { kind: 'runs', glob: channel.glob, asked: parsed.data };
    }
    default: {
      const unreachable: never = channel;
      throw new Error(`unknown channel ${JSON.stringify(unreachable)}`);
    }
  }
}

/** Says which field of a value does not have the form that its schema describes. */
export function explainShape({ issues }: z.ZodError): string {
  const [issue] = issues;
  if (issue === undefined) return 'it does not have the form that the protocol describes';
  if (issue.code === 'unrecognized_keys') {
    const inside = issue.path.length === 0 ? '' : ` in "${pathText(issue.path)}"`;
    return `there is no option "${issue.keys[0]}"${inside} here`;
  }
  if (issue.path.length === 0) return issue.message;
  return `"${pathText(issue.path)}" is not valid: ${issue.message}`;
}

function pathText(path: readonly PropertyKey[]): string {
  return path.map(String).join('.');
}

const channelNames = 'a channel is run:<cluster/run/group>, figures:<cluster/run/group> or runs:<glob>';

/** Returns null if the channel is of an unknown kind, or if its key or glob is invalid. */
function validChannel(name: string): Channel | null {
  const channel = parseChannel(name);
  if (channel === null) return null;
  const isValid = channel.kind === 'runs' ? isGlob(channel.glob) : parseRunKey(channel.key) !== null;
  return isValid ? channel : null;
}

function fault(code: SubscriptionFault['code'], channel: string | null, message: string): SubscriptionFault {
  return { kind: 'fault', code, ch: channel, message };
}
