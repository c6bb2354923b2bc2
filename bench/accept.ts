import { acceptBatch, type BodyFormat } from '@runlog/ingest/accept-batch';
import { type Benchmark, type Result, rounded } from './benchmark.ts';
import { inTurn } from './rounds.ts';
import { eventsOf } from './sample-events.ts';

const EVENTS_PER_BODY = 100;
const BODIES = 50;
const EVENTS = EVENTS_PER_BODY * BODIES;

/** Measures ingest's pure core: the bytes of a body go in, records come out. */
export const accept: Benchmark = {
  name: 'accept',
  summary: 'ns per event of judging a body, beside JSON.parse of the same events',
  async run({ seconds }): Promise<Result> {
    const source = eventsOf(1);
    const texts = Array.from({ length: EVENTS_PER_BODY }, () => source.next().value.json);
    const ndjson = Buffer.from(texts.join('\n'));
    const json = Buffer.from(`[${texts.join(', ')}]`);
    const taken = inTurn(
      {
        parse: () => {
          for (let body = 0; body < BODIES; body += 1) for (const text of texts) JSON.parse(text);
        },
        ndjson: () => acceptAll(ndjson, 'ndjson'),
        json: () => acceptAll(json, 'json'),
      },
      { seconds },
    );
    return {
      figure: rounded(taken.ndjson / EVENTS),
      unit: 'ns/event',
      limit: rounded(taken.parse / EVENTS),
      limit_is: 'JSON.parse of the same events, already text',
      ratio: rounded(taken.parse / taken.ndjson),
      how: `the recordings' events, NDJSON bodies of ${EVENTS_PER_BODY}; contenders in turn, medians of CPU time`,
      details: {
        event_bytes: Math.round(ndjson.length / EVENTS_PER_BODY),
        json_array_ns: rounded(taken.json / EVENTS),
      },
    };
  },
};

function acceptAll(body: Buffer, format: BodyFormat): void {
  const origin = { clusterId: 'bench', receivedAtMs: 1_767_484_800_000, format };
  for (let made = 0; made < BODIES; made += 1) {
    const judged = acceptBatch(body, origin);
    if (judged.kind !== 'judged' || judged.events.length !== EVENTS_PER_BODY) throw new Error('not accepted');
  }
}
