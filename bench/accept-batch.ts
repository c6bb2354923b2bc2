/** Nanoseconds per event of ingest's pure core: 925 B events in bodies of 100, best of several rounds. One JSON line. */
import { acceptBatch } from '../services/ingest/src/accept-batch.ts';

const EVENT_BYTES = 925;
const EVENTS_PER_BODY = 100;
const BODIES_PER_ROUND = 50;
const ROUNDS = 40;

function event(index: number): string {
  const value = {
    event_id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    event_type: 'PPO_UPDATE_COMPLETED',
    timestamp: '2026-01-03T23:59:47.900000+00:00',
    run_id: `run-${index % 7}`,
    group_id: 'default',
    seed_id: null,
    slot_id: null,
    epoch: index,
    message: 'policy updated',
    severity: 'info',
    emitter_id: 'c0ffee',
    emitter_seq: index + 1,
    data: {
      policy_loss: -0.012345678901234567,
      value_loss: 0.9876543210987654,
      entropy: 1.2345678901234567,
      grad_norm: 0.4567890123456789,
      kl_divergence: 0.0123456789012345,
      clip_fraction: 0.1234567890123456,
      nan_grad_count: 0,
      skipped: false,
      explained_variance: 0.7654321098765432,
      ratio_mean: 1.00123456789,
      advantage_mean: -0.0012345678901234,
      learning_rate: 0.0003,
      head: { op: 0.123456789, slot: 0.987654321, blueprint: 0.555555555 },
      note: '',
    },
  };
  const missing = EVENT_BYTES - Buffer.byteLength(JSON.stringify(value));
  value.data.note = 'x'.repeat(missing);
  return JSON.stringify(value);
}

function nanosecondsPerEvent(work: () => void, events: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = process.hrtime.bigint();
    work();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / events);
  }
  return Math.round(best);
}

const events = Array.from({ length: EVENTS_PER_BODY }, (_, index) => event(index));
const ndjson = Buffer.from(events.join('\n'));
const json = Buffer.from(`[${events.join(', ')}]`);
const origin = { clusterId: 'c1', receivedAtMs: Date.parse('2026-01-04T00:00:00Z') };
const perRound = EVENTS_PER_BODY * BODIES_PER_ROUND;

function acceptAll(body: Buffer, format: 'json' | 'ndjson'): void {
  for (let i = 0; i < BODIES_PER_ROUND; i += 1) {
    const judged = acceptBatch(body, { ...origin, format });
    if (judged.kind !== 'judged' || judged.events.length !== EVENTS_PER_BODY) throw new Error('not accepted');
  }
}

const ndjsonNs = nanosecondsPerEvent(() => acceptAll(ndjson, 'ndjson'), perRound);
const jsonNs = nanosecondsPerEvent(() => acceptAll(json, 'json'), perRound);
/** The limit: what `JSON.parse` alone takes for the same events. */
const parseNs = nanosecondsPerEvent(() => {
  for (let i = 0; i < BODIES_PER_ROUND; i += 1) for (const text of events) JSON.parse(text);
}, perRound);
process.stdout.write(
  `${JSON.stringify({
    bench: 'accept-batch',
    event_bytes: EVENT_BYTES,
    events_per_body: EVENTS_PER_BODY,
    ndjson_ns_per_event: ndjsonNs,
    json_ns_per_event: jsonNs,
    json_parse_ns_per_event: parseNs,
    ratio: Number((ndjsonNs / parseNs).toFixed(2)),
  })}\n`,
);
