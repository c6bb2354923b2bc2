import { SCHEMA_VERSION } from '@runlog/schema/event';
import { eventHeaders } from '@runlog/schema/topics';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import { recording } from '../test/support/recordings.ts';

type JsonObject = Record<string, unknown>;

/** Every event of the recordings, parsed, bare NaN as text; on average 925 bytes as recorded. */
const recorded: readonly JsonObject[] = (['one-env', 'short'] as const).flatMap((name) =>
  recording(name).lines.map((line) => JSON.parse(line.replace(/\bNaN\b/g, '"NaN"')) as JsonObject),
);

export const CLUSTER = 'bench';

/**
 * The events of one run as a numbering emitter sends them, without end: the recordings' own, over and over, each with
 * an id of its own.
 */
export function* eventsOf(run: number): Generator<{ json: string; id: string; type: string; seq: number }> {
  const runId = `run-${run}`;
  for (let seq = 1; ; seq += 1) {
    const event = recorded[(seq - 1) % recorded.length]!;
    const id = `${String(run).padStart(8, '0')}-0000-4000-8000-${String(seq).padStart(12, '0')}`;
    const numbered = {
      ...event,
      event_id: id,
      run_id: runId,
      group_id: 'default',
      emitter_id: `e${run}`,
      emitter_seq: seq,
    };
    yield { json: JSON.stringify(numbered), id, type: String(event.event_type), seq };
  }
}

/** Records as ingest writes them: `count` events, the runs taking turns in blocks of `block`. */
export function* sampleRecords(options: {
  runs: number;
  count: number;
  block?: number;
  /** Of the first record; each next one is a millisecond later. */
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
    const timestampMs = receivedAtMs + made;
    yield {
      key: `${CLUSTER}/run-${run}/default`,
      value: Buffer.from(json),
      headers: {
        [eventHeaders.eventType]: type,
        [eventHeaders.eventId]: id,
        [eventHeaders.receivedAt]: new Date(timestampMs).toISOString(),
        [eventHeaders.schemaVersion]: SCHEMA_VERSION,
        [eventHeaders.emitterId]: `e${run}`,
        [eventHeaders.emitterSeq]: String(seq),
      },
      timestampMs,
    };
  }
}
