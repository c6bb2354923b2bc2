import { deliverDocument } from '@runlog/run-state/delivery';
import { deliverFigures, noFigures } from '@runlog/run-state/figures/deliver-figures';
import { figureName } from '@runlog/run-state/figures/figure-name';
import { freshnessOf } from '@runlog/run-state/freshness';
import { conditionOf } from '@runlog/run-state/run-condition';
import { timelineOf } from '@runlog/run-state/timeline';
import {
  eventsQuerySchema,
  figuresQuerySchema,
  noQuerySchema,
  runQuerySchema,
  runsQuerySchema,
} from '@runlog/schema/http/gateway-api';
import type { RunProof } from '@runlog/schema/http/proof-api';
import { formatPosition } from '@runlog/schema/run/position-text';
import type { Position, RunSnapshot } from '@runlog/schema/run/snapshot';
import type { Clock } from '@runlog/service-kit/clock';
import { entityTag, isHeldBy } from '@runlog/service-kit/entity-tag';
import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  HttpFault,
} from '@runlog/service-kit/http-server';
import type { z } from 'zod';
import { type Access, mustSee } from '../access.ts';
import { LogReads } from '../read/log-reads.ts';
import type { RunsAtHand } from '../read/runs-at-hand.ts';
import { SharedReads } from '../read/shared-reads.ts';
import { listRuns } from './list-runs.ts';
import { OpenReads } from './open-reads.ts';
import { cannotRead, tooFar } from './past-faults.ts';
import { addProofRoutes } from './proof.ts';
import { readQuery, takeToken } from './read-query.ts';
import { noSuchRun, type RunRoute, runKeyOf } from './run-route.ts';

/** The most pages of history that are read at the same time. Each may look at many records. */
const PAGES_MAX = 4;
/** Those that may wait for that. Each is a request that is open anyway. */
const PAGES_WAITING_MAX = 2_000;
/** The most runs that are folded up to a place in their past at the same time. Each may take seconds of the processor. */
const PAST_FOLDS_MAX = 2;

const RUN_PATH = '/v1/runs/:cluster/:run/:group';
type RunRequest = FastifyRequest<RunRoute>;

/** `GET /v1/runs`, `/v1/runs/{cluster}/{run}/{group}` and its `/events`, `/timeline`, `/figures` and `/proof`. */
export function addRestRoutes(
  server: FastifyInstance,
  options: {
    runs: () => RunsAtHand | null;
    access: Access;
    clock: Clock;
    watching: (key: string) => RunProof['watching'];
  },
): void {
  const { access, clock } = options;
  const pages = new LogReads({ clock, max: PAGES_MAX, waitingMax: PAGES_WAITING_MAX });
  const sharedPages = new SharedReads<PageAnswer>();
  const openReads = new OpenReads();
  const pastFolds = new LogReads({ clock, max: PAST_FOLDS_MAX, waitingMax: 0 });

  const atHand = (): RunsAtHand => {
    const runs = options.runs();
    if (runs === null) throw new HttpFault('not_ready', 'this gateway is still reading the log');
    return runs;
  };

  /** Returns the run of a request, and what it asks for, if its viewer may see the run. */
  const readRequest = <Schema extends z.ZodType>(request: RunRequest, schema: Schema) => {
    const { token, rest } = takeToken(request.query);
    const viewer = access.viewerOfRequest(request, token);
    const key = runKeyOf(request.params);
    mustSee(viewer, key);
    const runs = atHand();
    const query = readQuery(schema, rest);
    const run = runs.states.get(key);
    if (run === undefined) throw noSuchRun(request.params);
    return { key, runs, query, run };
  };

  addProofRoutes(server, {
    readRun: (request) => readRequest(request, noQuerySchema),
    foldInTurn: (reply, fold) => openReads.of(reply, (gone) => pastFolds.read(gone, fold)),
    watching: options.watching,
    clock,
  });

  server.get('/v1/runs', (request) => {
    const { maySee } = access.viewerOfRequest(request);
    const query = readQuery(runsQuerySchema, request.query);
    return listRuns(atHand(), query, { nowMs: clock.now(), maySee });
  });

  server.get<RunRoute>(RUN_PATH, async (request, reply) => {
    const { runs, query, run } = readRequest(request, runQuerySchema);
    let state = run;
    if (query.at !== undefined && query.at < run.position.seq) {
      if (query.at < run.first_seq) throw noSuchEvent(run, query.at);
      if (runs.pastStates === null) throw cannotRead();
      const past = { run, seq: query.at, pastStates: runs.pastStates };
      state = await openReads.of(reply, (gone) =>
        pastFolds.read(gone, (signal) => stateAt({ ...past, signal })),
      );
    }
    const nowMs = clock.now();
    const freshness = freshnessOf({ lastReceivedAtMs: Date.parse(state.last_received_at), nowMs });
    const words = [freshness, conditionOf(state, nowMs).state];
    if (isHeld(request, reply, { position: state.position, words })) return reply.code(304).send();
    return deliverDocument(state, nowMs);
  });

  server.get<RunRoute>(`${RUN_PATH}/timeline`, (request, reply) => {
    const { run } = readRequest(request, noQuerySchema);
    if (isHeld(request, reply, run)) return reply.code(304).send();
    return timelineOf(run);
  });

  server.get<RunRoute>(`${RUN_PATH}/figures`, (request, reply) => {
    const { key, runs, query, run } = readRequest(request, figuresQuerySchema);
    if (isHeld(request, reply, run)) return reply.code(304).send();
    const state = runs.figures.get(key);
    if (state === undefined) return noFigures(run);
    const { name, points } = query;
    // A long name is kept in a short form.
    const names = name && [...new Set(name.map(figureName))];
    return deliverFigures(state, { names, pointsMax: points });
  });

  server.get<RunRoute>(`${RUN_PATH}/events`, async (request, reply) => {
    const { key, runs, query, run } = readRequest(request, eventsQuerySchema);
    const { history } = runs;
    if (history === null) throw cannotRead();
    const { epoch } = run.position;
    // The newest page is another one once the run has gone on.
    const isNewest =
      query.after === undefined && (query.before ?? Number.POSITIVE_INFINITY) > run.position.seq;
    const name = JSON.stringify([key, epoch, run.first_seq, query, isNewest ? run.position.seq : null]);
    const read = async (signal: AbortSignal): Promise<PageAnswer> => {
      const { events, next, oldest } = await history.page({ ...query, state: run, signal });
      const position = JSON.stringify(run.position);
      const text = `{"events":[${events.join(',')}],"next":${next},"position":${position},"oldest":${oldest}}`;
      return { text, seq: run.position.seq, isLast: next === null };
    };
    const answer = await openReads.of(reply, async (gone) => {
      const inTurn = (unneeded: AbortSignal) => pages.read(unneeded, read);
      const shared = await sharedPages.get(name, { gone, read: inTurn });
      // The last page of somebody who asked a little earlier ends where the run ended then.
      const isOld = shared.isLast && shared.seq < run.position.seq;
      return isOld ? pages.read(gone, read) : shared;
    });
    return reply.type('application/json; charset=utf-8').send(answer.text);
  });
}

/** A page of events as it is sent. */
interface PageAnswer {
  readonly text: string;
  /** The run's position when it was asked for. */
  readonly seq: number;
  /** Whether there is no next page. */
  readonly isLast: boolean;
}

async function stateAt(past: {
  run: RunSnapshot;
  seq: number;
  pastStates: NonNullable<RunsAtHand['pastStates']>;
  signal: AbortSignal;
}): Promise<RunSnapshot> {
  const { run, seq, pastStates, signal } = past;
  const reached = await pastStates.at({ run, seq, signal });
  switch (reached.kind) {
    case 'reached':
      return reached.state;
    case 'too_far':
      throw tooFar(reached.seq, seq);
    case 'gone':
      throw new HttpFault('history_gone', "the log no longer holds this run's beginning");
    default: {
      const unreachable: never = reached;
      throw new Error(`unknown outcome ${JSON.stringify(unreachable)}`);
    }
  }
}

/**
 * Sets the ETag of a run's position, and says whether the client holds what it stands for. `words` are those of the answer
 * that depend on the present time, so that a poller learns of a run that has fallen silent. `relative_time` is not among
 * them, because then no tag would last for longer than a second: whoever holds the entries can tell it from `occurred_at`
 * and the Date of the answer.
 */
function isHeld(
  request: RunRequest,
  reply: FastifyReply,
  { position, words = [] }: { position: Position; words?: readonly string[] },
): boolean {
  const tag = entityTag([formatPosition(position), ...words].join('.'));
  reply.header('etag', tag).header('cache-control', 'no-cache');
  return isHeldBy(request.headers['if-none-match'], tag);
}

function noSuchEvent(run: RunSnapshot, seq: number): HttpFault {
  return new HttpFault('no_such_event', `this run begins at ${run.first_seq}, after ${seq}`);
}
