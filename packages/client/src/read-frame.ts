import type { ServerFrameFields } from '@runlog/schema/stream/server-frames';

/** A frame that no gateway of this protocol sends. The connection is given up, and a new one tried. */
export class MalformedFrame extends Error {
  override readonly name = 'MalformedFrame';
}

type Fields = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const isSeq: Check = (value) => Number.isSafeInteger(value);
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const fields =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isFields(value) && Object.entries(checks).every(([name, check]) => check(value[name]));

const entries = listOf(
  fields({ seq: isSeq, event_type: isText, message: isText, metadata: isFields, values: isFields }),
);
const position = fields({ epoch: isText, seq: isSeq });
const snapshot = fields({
  position: orNull(position),
  first_seq: isSeq,
  evicted_seq: orNull(isSeq),
  status: isText,
  event_log: entries,
  milestones: entries,
  counts: isFields,
  emitters: isFields,
});
const skipped = fields({ after: isSeq, before: isSeq, count: orNull(isSeq) });
const step = { prev: orNull(isSeq), seq: isSeq, epoch: optional(isText) };
const runStep = { ...step, entries, set: isFields, filtered: optional(isSeq) };
const figure = fields({ name: isText, x: Array.isArray, t: Array.isArray, count: Array.isArray });
const figures = fields({ position: orNull(position), figures: listOf(figure) });
const rows = listOf(fields({ cluster_id: isText, run_id: isText, group_id: isText }));

/** What the client reads of each field that it knows. */
const known: Readonly<Record<string, Check>> = {
  hello: fields({ heartbeat_ms: isNumber, reconnect: fields({ min_ms: isNumber, max_ms: isNumber }) }),
  tips: (value) => isFields(value) && Object.values(value).every(orNull(isSeq)),
  ch: isText,
  snapshot,
  filtered: isSeq,
  resume: fields({ ...runStep, skipped: optional(skipped) }),
  // Either the state of the figures, or what changed of each.
  figures: (value) => Array.isArray(value) || figures(value),
  error: fields({ code: isText, message: isText }),
  rows,
  gone: listOf(isText),
  total: isNumber,
  reset: (value) =>
    isFields(value) && isText(value.reason) && (figures(value.figures) || snapshot(value.snapshot)),
  lag: fields({ skipped }),
  end: fields({ status: isText }),
  drain: fields({ within_ms: isNumber }),
  feed: fields({ state: isText }),
};

/** Checks what the client will read of a frame. Fields that it does not know are ignored. Throws a MalformedFrame. */
export function readFrame(received: unknown): ServerFrameFields {
  if (!isFields(received)) throw new MalformedFrame('a frame is not an object');
  for (const [name, check] of Object.entries(known)) {
    if (received[name] !== undefined && !check(received[name])) {
      throw new MalformedFrame(`"${name}" does not have the form that the protocol describes`);
    }
  }
  if (received.prev !== undefined) {
    const isStep =
      received.figures === undefined ? fields(runStep) : fields({ ...step, figures: listOf(figure) });
    if (!isStep(received))
      throw new MalformedFrame('a step does not have the form that the protocol describes');
  }
  return received as ServerFrameFields;
}
