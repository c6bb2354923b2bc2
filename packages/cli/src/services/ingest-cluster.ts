import { CommandError, exitCodes } from '../command.ts';
import type { SendTarget } from './send-events.ts';
import { faultMessage, unreachableReason } from './service-answer.ts';

const ANSWER_MS_MAX = 15_000;
const DEFAULT_CLUSTER = 'local';

/**
 * Says in which cluster ingest will store what is sent to it. A key determines the cluster, and only ingest knows which; it
 * is asked by a body without events.
 */
export async function clusterOf({ ingestUrl, key, clusterId }: SendTarget): Promise<string> {
  const secret = key();
  if (secret === undefined) return clusterId ?? DEFAULT_CLUSTER;
  const response = await fetch(`${ingestUrl}/v1/events?dry_run=1`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${secret}`,
      'content-type': 'application/json',
      ...(clusterId === undefined ? {} : { 'x-cluster-id': clusterId }),
    },
    body: '[]',
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  }).catch((error: unknown) => {
    throw new CommandError(unreachableReason(ingestUrl, error), exitCodes.unreachable, { cause: error });
  });
  const cluster = response.headers.get('x-cluster-id') ?? clusterId;
  const message = faultMessage(await response.text()) ?? response.statusText;
  if (response.status === 401 || response.status === 403) {
    throw new CommandError(
      `ingest requires a key that may publish: set RUNLOG_KEY (${message})`,
      exitCodes.failed,
    );
  }
  if (cluster !== undefined) return cluster;
  throw new CommandError(
    `${ingestUrl} answered ${response.status} and did not name the cluster of the key (${message}): name it with --cluster`,
    response.status >= 500 ? exitCodes.unreachable : exitCodes.failed,
  );
}
