import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runGroupsSchema } from '@runlog/schema/run/snapshot';
import { runChannel } from '@runlog/schema/stream/channels';
import { parse } from 'yaml';
import { z } from 'zod';
import { commandSchema } from './commands.ts';
import { expandFrame, type Frame } from './expand-frame.ts';

/** The run of a scenario that names no other. */
export const RUN = 'c1/r1/default';

const SCENARIOS = fileURLToPath(new URL('scenarios/', import.meta.url));

/** What a client may be unable to do. It says so when it starts, and is then spared the scenarios that need it. */
export const abilities = ['backfill', 'since', 'figures', 'index', 'filters', 'ack', 'feed'] as const;

const ms = z.int().min(0);
const frame = z.record(z.string(), z.unknown());
const closeCode = z.int().min(1000).max(4999);

const reconnect = z.strictObject({ min_ms: ms, max_ms: ms });
const hello = z.strictObject({
  server: z.string().default('scripted/1'),
  heartbeat_ms: ms.default(25_000),
  reconnect: reconnect.default({ min_ms: 5, max_ms: 20 }),
});

/** What one request for history gets instead of the page that it asked for. */
const answer = z.union([
  /** An error, with the body that the gateway gives it. */
  z.enum(['overloaded', 'log_unavailable', 'history_gone', 'unauthorized', 'forbidden', 'no_such_run']),
  /** `hold`: the page, but only after the step `release`. */
  z.enum(['page', 'hold', 'cut', 'empty']),
  /** What a gateway answers that has read the run only up to this seq. */
  z.strictObject({ behind: z.int() }),
  /** An error, and after how many seconds to ask again. */
  z.strictObject({ later_s: z.int().min(1) }),
]);
export type HistoryAnswer = z.infer<typeof answer>;

const accept = z
  .strictObject({
    /** `none`: the server does not greet. */
    hello: z.union([hello, z.literal('none')]).prefault({}),
    /** The key that the client must show. */
    key: z.string().optional(),
  })
  .nullable();

/** One thing that happens. A map with one key; a step without arguments is its bare name. */
const plainStep = z.union([
  z.strictObject({ tell: commandSchema }),
  z.strictObject({ accept }),
  z.strictObject({ refuse: z.int().min(400).max(599) }),
  z.strictObject({ receive: frame, as: z.string().optional() }),
  z.strictObject({ reply: frame, to: z.string().optional() }),
  z.strictObject({ send: z.union([frame, z.array(frame).min(1)]) }),
  z.strictObject({ send_newer: frame }),
  z.strictObject({ send_text: z.string() }),
  z.strictObject({ close: closeCode }),
  z.strictObject({ drop: z.null() }),
  z.strictObject({ freeze: z.null() }),
  z.strictObject({ gone: z.null() }),
  z.strictObject({ answer: z.array(answer).min(1) }),
  z.strictObject({ requested: z.strictObject({ query: z.string().optional() }).nullable() }),
  z.strictObject({ release: z.null() }),
  z.strictObject({ handed: z.string() }),
  z.strictObject({ stopped: closeCode }),
  z.strictObject({ quiet: ms }),
  z.strictObject({ watch: z.null() }),
  z.strictObject({ took_at_least: ms }),
]);
type PlainStep = z.infer<typeof plainStep>;
export type Step =
  | PlainStep
  | { readonly repeat: { readonly times: number; readonly steps: readonly Step[] } };

const step: z.ZodType<Step> = z.lazy(() =>
  z.preprocess(
    (written) => (typeof written === 'string' ? { [written]: null } : written),
    z.union([
      plainStep,
      z.strictObject({ repeat: z.strictObject({ times: z.int().min(1), steps: z.array(step) }) }),
    ]),
  ),
);

/** Parts of the state that a client holds, by name; an entry stands for its seq. */
const stateParts = z.looseObject({ seq: z.int().nullable().optional() });

const expectation = z.strictObject({
  /** All that the client hands over of a run, in order, as lines such as `entry 57`. */
  handed: z.array(z.string()).optional(),
  handed_of: z.record(z.string(), z.array(z.string())).default({}),
  state: stateParts.optional(),
  index: z
    .strictObject({
      rows: z.array(z.string()).optional(),
      total: z.int().optional(),
      counts: z.record(z.string(), z.int()).optional(),
      groups: runGroupsSchema.optional(),
    })
    .optional(),
  /** By figure, the `last` of its buckets. */
  figures: z
    .strictObject({
      seq: z.int().nullable(),
      figures: z.record(z.string(), z.array(z.number().nullable())),
    })
    .optional(),
  feed: z.array(z.enum(['stalled', 'live'])).optional(),
  /** Requests for history at most. */
  requests_max: z.int().min(0).optional(),
});

const scenarioSchema = z.strictObject({
  /** A sentence about the client, which is true if it passes. */
  title: z.string(),
  why: z.string(),
  needs: z.array(z.enum(abilities)).default([]),
  /** What `GET …/events` of the run has: seqs, ranges such as `42..57`, or items with more fields. */
  history: z.array(z.unknown()).default([]),
  /** Below this seq the log has lost its events. */
  oldest: z.int().min(0).default(0),
  /** Events of a page at most, whatever `limit` asks for. */
  page_events_max: z.int().min(1).default(1_000),
  /** The client has connected, has subscribed to the run, and has got this snapshot. */
  given: z.strictObject({ hello: hello.optional(), snapshot: frame }).optional(),
  steps: z.array(step).min(1),
  expect: expectation.prefault({}),
});

type Written = z.infer<typeof scenarioSchema>;
/** The steps of `given` are the first of `steps`. */
export interface Scenario extends Omit<Written, 'given'> {
  readonly name: string;
}

/** Reads every scenario, or those with these names. Throws if one has a fault, or sends what the contract does not have. */
export function readScenarios(names?: readonly string[]): Scenario[] {
  const all = readdirSync(SCENARIOS)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();
  const unknown = names?.filter((name) => !all.includes(name)) ?? [];
  if (unknown.length > 0) throw new Error(`there is no scenario ${unknown.join(', ')}`);
  return (names ?? all).map(readScenario);
}

function readScenario(name: string): Scenario {
  const parsed = scenarioSchema.safeParse(parse(readFileSync(join(SCENARIOS, `${name}.yaml`), 'utf8')));
  if (!parsed.success) throw new Error(`${name}.yaml: ${z.prettifyError(parsed.error)}`);
  const { given, ...rest } = parsed.data;
  const opening = given === undefined ? [] : openingOf(given);
  const scenario = { name, ...rest, steps: [...opening, ...rest.steps] };
  for (const sent of sentBy(scenario.steps)) {
    try {
      expandFrame(sent);
    } catch (error) {
      throw new Error(`${name}.yaml: ${(error as Error).message}`);
    }
  }
  return scenario;
}

function openingOf({ hello, snapshot }: NonNullable<Written['given']>): Step[] {
  const ch = runChannel(RUN);
  return [
    { tell: { do: 'connect' } },
    { tell: { do: 'subscribe_run', run: RUN } },
    { accept: hello === undefined ? null : { hello } },
    { receive: { sub: [{ ch }] } },
    { reply: { ch, snapshot } },
    { handed: `snapshot ${snapshot.seq === null ? 'none' : String(snapshot.seq)}` },
  ];
}

/** The frames that these steps send and that the contract must know. A reply gets some id. */
function sentBy(steps: readonly Step[]): Frame[] {
  return steps.flatMap((step): Frame[] => {
    if ('repeat' in step) return sentBy(step.repeat.steps);
    if ('reply' in step) return [{ id: 1, ...step.reply }];
    if ('send' in step) return [step.send].flat();
    return [];
  });
}
