import type { EventsPage, RunsPage } from '@runlog/schema/http/gateway-api';
import type { FeedHealth } from '@runlog/schema/http/health';
import type { RunFigures } from '@runlog/schema/run/figures';
import { formatRunKey, type RunKey } from '@runlog/schema/run/run-key';
import type { RunDocument } from '@runlog/schema/run/snapshot';
import { CommandError, exitCodes } from '../command.ts';
import { faultCode, faultMessage, unreachableReason } from './service-answer.ts';

const ANSWER_MS_MAX = 15_000;

export interface GatewayTarget {
  readonly gatewayUrl: string;
  readonly key: string | undefined;
  /** The variable that the key comes from: RUNLOG_KEY if it is undefined. */
  readonly keyVariable?: string;
}

/** Fetches one page of the run list; `query` holds the REST parameters of `GET /v1/runs`. */
export async function listRuns(
  target: GatewayTarget,
  query: Readonly<Record<string, string>>,
): Promise<RunsPage> {
  const response = await get(target, `/v1/runs?${new URLSearchParams(query)}`);
  if (response.status !== 200) throw await refusal(target, response);
  return (await response.json()) as RunsPage;
}

/** Fetches a run's snapshot. Returns null if there is no such run. */
export async function getRun(target: GatewayTarget, key: RunKey): Promise<RunDocument | null> {
  const response = await get(target, `/v1/runs/${formatRunKey(key)}`);
  if (response.status === 404) return null;
  if (response.status !== 200) throw await refusal(target, response);
  return (await response.json()) as RunDocument;
}

/** Fetches one page of a run's events; `query` holds the REST parameters. Returns null if there is no such run. */
export async function getEvents(
  target: GatewayTarget,
  key: RunKey,
  query: Readonly<Record<string, string>>,
): Promise<EventsPage | null> {
  const response = await get(target, `/v1/runs/${formatRunKey(key)}/events?${new URLSearchParams(query)}`);
  if (response.status === 404 && faultCode(await response.clone().text()) === 'no_such_run') return null;
  if (response.status !== 200) throw await refusal(target, response);
  return (await response.json()) as EventsPage;
}

/** Asks how far the gateway has read the log. Returns null while it reads it for the first time. */
export async function feedOf(target: GatewayTarget): Promise<FeedHealth | null> {
  const response = await get(target, '/readyz');
  if (response.status === 503 && faultCode(await response.clone().text()) === 'not_ready') return null;
  if (response.status !== 200) throw await refusal(target, response);
  const { feed } = (await response.json()) as { feed?: FeedHealth };
  if (feed !== undefined) return feed;
  throw new CommandError(
    `${target.gatewayUrl}/readyz does not say how far it has read: is it runlog's gateway?`,
    exitCodes.failed,
  );
}

/** Fetches a run's figures, or those with a name. Returns null if there is no such run. */
export async function getFigures(
  target: GatewayTarget,
  key: RunKey,
  query: Readonly<Record<string, string>> = {},
): Promise<RunFigures | null> {
  const parameters = new URLSearchParams(query);
  const response = await get(target, `/v1/runs/${formatRunKey(key)}/figures?${parameters}`);
  if (response.status === 200) return (await response.json()) as RunFigures;
  if (response.status === 404 && faultCode(await response.clone().text()) === 'no_such_run') return null;
  throw await refusal(target, response);
}

/** Returns the address of a run's page in the dashboard. */
export function runPage(target: GatewayTarget, key: RunKey): string {
  return `${target.gatewayUrl}/#${formatRunKey(key)}`;
}

/** Sends a request to the gateway and follows redirects. */
async function get(target: GatewayTarget, path: string): Promise<Response> {
  try {
    return await fetch(`${target.gatewayUrl}${path}`, {
      headers: {
        accept: 'application/json',
        ...(target.key === undefined ? {} : { authorization: `Bearer ${target.key}` }),
      },
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
  } catch (error) {
    const reason = unreachableReason(target.gatewayUrl, error);
    throw new CommandError(`${reason}; is the gateway up (RUNLOG_GATEWAY_URL)?`, exitCodes.unreachable, {
      cause: error,
    });
  }
}

async function refusal(target: GatewayTarget, response: Response): Promise<CommandError> {
  const message = faultMessage(await response.text()) ?? response.statusText;
  const code = response.status >= 500 ? exitCodes.unreachable : exitCodes.failed;
  const mayNot = response.status === 401 || (response.status === 403 && target.keyVariable !== undefined);
  const hint = mayNot ? `; set ${target.keyVariable ?? 'RUNLOG_KEY'} to a key that may view` : '';
  return new CommandError(`${target.gatewayUrl} answered ${response.status}: ${message}${hint}`, code);
}
