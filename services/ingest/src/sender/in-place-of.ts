import { encodeEvent } from '@runlog/records/event-record';
import { validateEvent } from '@runlog/schema/events/validate-event';
import { parseRunKey } from '@runlog/schema/run/run-key';
import { parseJson } from '@runlog/topic-io/parse-json';
import type { TopicIoError } from '@runlog/topic-io/topic-io';
import type { AcceptedEvent } from '../accept-batch.ts';

/** The type of an event that stands for another one, which the log will not take. */
const REFUSED_TYPE = 'EVENT_REFUSED';

/**
 * Makes the event that takes the place of one which a body has numbered and the log refuses. Its sender never numbered anything,
 * and would read of a missing event for ever. It has the id and the number of the other one, so each attempt makes the same.
 */
export function inPlaceOf(refused: AcceptedEvent, fault: TopicIoError): AcceptedEvent {
  const { index, record } = refused;
  const verdict = validateEvent(parseJson(record.value.toString('utf8')));
  if ('fault' in verdict)
    throw new Error(`an event that was to be appended is none: ${verdict.fault.message}`);
  const run = parseRunKey(record.key);
  if (run === null) throw new Error(`an event was to be appended under a key of no run: ${record.key}`);
  const { event_id, timestamp, run_id, group_id, emitter_id, emitter_seq, event_type } = verdict.event;
  const bytes = record.value.length;
  const event = {
    ...{ event_id, timestamp, run_id, emitter_id, emitter_seq },
    ...{ event_type: REFUSED_TYPE, severity: 'warning' },
    ...(group_id == null ? {} : { group_id }),
    message: `an event of ${bytes} bytes is kept among the rejected ones: ${fault.message}`,
    data: { event_type, bytes, code: 'event_too_large' },
  };
  const receivedAtMs = record.timestampMs;
  const made = encodeEvent(event, {
    ...{ clusterId: run.cluster_id, receivedAtMs },
    value: Buffer.from(JSON.stringify(event)),
    receivedAt: new Date(receivedAtMs).toISOString(),
  });
  return { index, record: made, normalized: false };
}
