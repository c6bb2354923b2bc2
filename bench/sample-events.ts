import { encodeEvent } from '@runlog/records/event-record';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import { recording } from '../test/support/recordings.ts';

/** An event without the fields that differ between events and runs. */
interface Template {
  readonly type: string;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** The rest of the JSON object, without its opening brace. */
  readonly rest: string;
  readonly restBytes: Buffer;
}

/** Every event of the recordings, with bare NaN as text. They have on average 925 bytes as recorded. */
const templates: readonly Template[] = (['one-env', 'short'] as const).flatMap((name) =>
  recording(name).lines.map((line) => {
    const event = JSON.parse(line.replace(/\bNaN\b/g, '"NaN"')) as Record<string, unknown>;
    const { event_id: _event, run_id: _run, group_id: _group, ...rest } = event;
    const text = JSON.stringify(rest).slice(1);
    return {
      type: String(event.event_type),
      message: String(event.message ?? ''),
      data: event.data as Record<string, unknown>,
      rest: text,
      restBytes: Buffer.from(text),
    };
  }),
);

/** What the events of the recordings say, one after the other and around again, without what is not known. */
export function sampleData(at: number): Pick<Template, 'type' | 'message' | 'data'> {
  const { type, message, data } = templates[at % templates.length]!;
  return {
    type,
    message,
    data: Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null)),
  };
}

export const CLUSTER = 'bench';

export interface SampleEvent {
  readonly json: string;
  /** The same in two parts, of which the first is ASCII. */
  readonly head: string;
  readonly restBytes: Buffer;
  readonly id: string;
  readonly type: string;
  readonly seq: number;
}

/**
 * Yields the events of one run without end, as a numbering emitter sends them. They are the recordings' own, repeated,
 * each with an id of its own.
 */
export function* eventsOf(run: number): Generator<SampleEvent, never> {
  const prefix = `${String(run).padStart(8, '0')}-0000-4000-8000-`;
  const whose = `"run_id":"run-${run}","group_id":"default","emitter_id":"e${run}","emitter_seq":`;
  for (let seq = 1; ; seq += 1) {
    const { type, rest, restBytes } = templates[(seq - 1) % templates.length]!;
    const id = prefix + String(seq).padStart(12, '0');
    const head = `{"event_id":"${id}",${whose}${seq},`;
    yield { json: head + rest, head, restBytes, id, type, seq };
  }
}

/**
 * Returns the next events of a source as an NDJSON body. It is made from bytes, so that the load generator costs little
 * compared with what it loads.
 */
export function nextBody(source: Iterator<SampleEvent, never>, count: number): Buffer {
  const parts = Array.from({ length: count }, () => source.next().value);
  const bytes = parts.reduce((sum, { head, restBytes }) => sum + head.length + restBytes.length + 1, 0);
  const body = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const { head, restBytes } of parts) {
    at += body.write(head, at, 'latin1');
    at += restBytes.copy(body, at);
    body[at] = LINE_FEED;
    at += 1;
  }
  return body;
}

const LINE_FEED = 0x0a;

/** Yields records as ingest writes them: `count` events, with the runs taking turns in blocks of `block`. */
export function* sampleRecords(options: {
  runs: number;
  count: number;
  block?: number;
  /** The time of the first record. Each next one is a millisecond later. */
  receivedAtMs: number;
}): Generator<RecordToAppend> {
  const { runs, count, block = 10, receivedAtMs } = options;
  const sources = Array.from({ length: runs }, (_, run) => eventsOf(run));
  for (let made = 0; made < count; made += 1) {
    const run = Math.floor(made / block) % runs;
    const { json, id, type, seq } = sources[run]!.next().value as {
      json: string;
      id: string;
      type: string;
      seq: number;
    };
    const atMs = receivedAtMs + made;
    yield encodeEvent(
      {
        event_id: id,
        event_type: type,
        run_id: `run-${run}`,
        group_id: 'default',
        emitter_id: `e${run}`,
        emitter_seq: seq,
      },
      {
        clusterId: CLUSTER,
        value: Buffer.from(json),
        receivedAt: new Date(atMs).toISOString(),
        receivedAtMs: atMs,
      },
    );
  }
}
