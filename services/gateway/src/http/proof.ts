import { countsProofOf } from '@runlog/run-state/proof';
import type { RunProof } from '@runlog/schema/http/proof-api';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import type { Clock } from '@runlog/service-kit/clock';
import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  HttpFault,
} from '@runlog/service-kit/http-server';
import type { PastState } from '../read/past-states.ts';
import type { RunsAtHand } from '../read/runs-at-hand.ts';
import { Verifications, type Verified } from '../read/verifications.ts';
import { cannotRead, tooFar } from './past-faults.ts';
import type { RunRoute } from './run-route.ts';

const PROOF_PATH = '/v1/runs/:cluster/:run/:group/proof';
type RunRequest = FastifyRequest<RunRoute>;

/**
 * `GET` and `POST /v1/runs/{cluster}/{run}/{group}/proof`: how complete a run is, and who watches it. `POST` verifies the run
 * first, by a fold of its history.
 */
export function addProofRoutes(
  server: FastifyInstance,
  options: {
    /** Returns the run of a request if its viewer may see it. */
    readRun: (request: RunRequest) => { key: string; runs: RunsAtHand; run: RunSnapshot };
    /** Folds when it is the request's turn. */
    foldInTurn: <Result>(
      reply: Pick<FastifyReply, 'raw'>,
      fold: (signal: AbortSignal) => Promise<Result>,
    ) => Promise<Result>;
    watching: (key: string) => RunProof['watching'];
    clock: Pick<Clock, 'now'>;
  },
): void {
  const { readRun, foldInTurn, watching, clock } = options;
  const verifications = new Verifications();
  const proofOf = (key: string, run: RunSnapshot): RunProof => ({
    ...countsProofOf(run),
    watching: watching(key),
    ...verifications.of(run),
  });

  server.get<RunRoute>(PROOF_PATH, (request, reply) => {
    const { key, run } = readRun(request);
    reply.header('cache-control', 'no-store');
    return proofOf(key, run);
  });

  server.post<RunRoute>(PROOF_PATH, async (request, reply) => {
    const { key, run, runs } = readRun(request);
    if (request.body !== undefined && request.body !== null) {
      throw new HttpFault('invalid_body', 'a verification takes no body');
    }
    const { pastStates } = runs;
    if (pastStates === null) throw cannotRead();
    const verified = await foldInTurn(reply, async (signal) => {
      const startedMs = clock.now();
      return verifiedBy(await pastStates.whole({ run, signal }), { run, startedMs, clock });
    });
    verifications.set(run, verified);
    reply.header('cache-control', 'no-store');
    return proofOf(key, run);
  });
}

/** Compares a fold with the run as it was when the fold began. Throws 503 if the fold did not reach it. */
function verifiedBy(
  folded: PastState,
  by: { run: RunSnapshot; startedMs: number; clock: Pick<Clock, 'now'> },
): Verified {
  const { run, startedMs, clock } = by;
  const { seq } = run.position;
  switch (folded.kind) {
    case 'reached': {
      const is_equal = JSON.stringify(folded.state) === JSON.stringify(run);
      const nowMs = clock.now();
      // A wall clock may have been set back.
      const took_ms = Math.max(0, nowMs - startedMs);
      const verified = { seq, at: new Date(nowMs).toISOString(), is_equal, took_ms };
      return { verified, unverified_because: null };
    }
    case 'too_far':
      throw tooFar(folded.seq, seq);
    case 'gone':
      return { verified: null, unverified_because: 'history_gone' };
    default: {
      const unreachable: never = folded;
      throw new Error(`unknown outcome ${JSON.stringify(unreachable)}`);
    }
  }
}
