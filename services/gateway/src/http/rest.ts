import { deliverSnapshot } from '@runlog/run-state/delivery';
import { EVENTS_PAGE_DEFAULT, EVENTS_PAGE_MAX } from '@runlog/schema/limits';
import { formatPosition } from '@runlog/schema/run/position-text';
import type { Clock } from '@runlog/service-kit/clock';
import { type FastifyInstance, HttpFault } from '@runlog/service-kit/http-server';
import { TopicIoError } from '@runlog/topic-io/topic-io';
import { z } from 'zod';
import { type Access, mustSee } from '../access.ts';
import type { RunsAtHand } from '../runs-at-hand.ts';
import { listRuns, runsQuerySchema } from './list-runs.ts';
import { noSuchRun, type RunRoute, runKeyOf } from './run-route.ts';

/** The most history reads at the same time. Each may look at many records. */
const HISTORY_READS_MAX = 4;

const offset = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a seq: a whole number')
  .transform(Number);

const eventsQuerySchema = z
  .strictObject({
    before: offset.optional(),
    after: offset.optional(),
    limit: z
      .string()
      .regex(/^\d{1,6}$/, 'must be a whole number')
      .transform(Number)
      .refine((limit) => limit >= 1 && limit <= EVENTS_PAGE_MAX, `must be from 1 to ${EVENTS_PAGE_MAX}`)
      .default(EVENTS_PAGE_DEFAULT),
  })
  .refine((query) => query.before === undefined || query.after === undefined, {
    error: 'before and after cannot be combined',
  });

/** `GET /v1/runs`, `/v1/runs/{cluster}/{run}/{group}` and its `/events`. */
export function addRestRoutes(
  server: FastifyInstance,
  options: { runs: () => RunsAtHand | null; access: Access; clock: Clock },
): void {
  const { access, clock } = options;
  let historyReads = 0;

  const atHand = (): RunsAtHand => {
    const runs = options.runs();
    if (runs === null) throw new HttpFault('not_ready', 'this gateway is still reading the log');
    return runs;
  };

  server.get('/v1/runs', (request) => {
    const { maySee } = access.viewerOfRequest(request);
    const query = readQuery(runsQuerySchema, request.query);
    return listRuns(atHand().states, query, { nowMs: clock.now(), maySee });
  });

  server.get<RunRoute>('/v1/runs/:cluster/:run/:group', (request, reply) => {
    const viewer = access.viewerOfRequest(request);
    const key = runKeyOf(request.params);
    mustSee(viewer, key);
    const state = atHand().states.get(key);
    if (state === undefined) throw noSuchRun(request.params);
    const etag = `"${formatPosition(state.position)}"`;
    // Only fields that depend on the present time differ, so a poller that has this position has the run.
    reply.header('etag', etag).header('cache-control', 'no-cache');
    if (request.headers['if-none-match'] === etag) return reply.code(304).send();
    return deliverSnapshot(state, clock.now());
  });

  server.get<RunRoute>('/v1/runs/:cluster/:run/:group/events', async (request, reply) => {
    const viewer = access.viewerOfRequest(request);
    const key = runKeyOf(request.params);
    mustSee(viewer, key);
    const { states, history } = atHand();
    const query = readQuery(eventsQuerySchema, request.query);
    if (!states.has(key)) throw noSuchRun(request.params);
    if (history === null) throw new HttpFault('log_unavailable', 'the log cannot be read here');
    if (historyReads >= HISTORY_READS_MAX) throw new HttpFault('overloaded', 'too many reads of history');
    const gone = new AbortController();
    request.raw.once('close', () => gone.abort());
    historyReads += 1;
    try {
      const page = await history.page({ key, ...query, signal: gone.signal });
      return reply
        .type('application/json; charset=utf-8')
        .send(`{"events":[${page.events.join(',')}],"next":${page.next}}`);
    } catch (error) {
      // If the log does not answer, for whatever reason, the snapshots that are held are still served.
      if (error instanceof TopicIoError) {
        throw new HttpFault('log_unavailable', `the log does not answer: ${error.message}`, { cause: error });
      }
      throw error;
    } finally {
      historyReads -= 1;
    }
  });
}

function readQuery<Schema extends z.ZodType>(schema: Schema, query: unknown): z.infer<Schema> {
  const result = schema.safeParse(query);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`.trim());
  throw new HttpFault('invalid_query', faults.join('; '));
}
