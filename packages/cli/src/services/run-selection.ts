import { DEFAULT_GROUP, formatRunKey, parseRunKey, type RunKey } from '@runlog/schema/run/run-key';
import { CommandError, exitCodes, UsageError } from '../command.ts';
import { type GatewayTarget, listRuns } from './gateway-client.ts';

/**
 * Finds the run that a person means: `cluster/run/group`, `cluster/run` (group `default`), or only a name, if no other
 * run has it.
 */
export async function selectRun(text: string | undefined, target: GatewayTarget): Promise<RunKey> {
  if (text === undefined || text === '') throw new UsageError('name a run, such as local/run-7/default');
  const slashes = text.split('/').length - 1;
  const key = slashes === 1 ? parseRunKey(`${text}/${DEFAULT_GROUP}`) : parseRunKey(text);
  if (key !== null) return key;
  if (slashes !== 0 || parseRunKey(`c/${text}/g`) === null) {
    throw new UsageError(
      `"${text}" does not name a run: write cluster/run/group, cluster/run or a run's name`,
    );
  }
  const page = await listRuns(target, { run: text, limit: '20' });
  const found = page.runs.filter((row) => row.run_id === text);
  if (found.length === 1) return found[0]!;
  if (found.length === 0) {
    throw new CommandError(
      `there is no run "${text}"; "runlog runs" lists those that are there`,
      exitCodes.failed,
    );
  }
  const names = found.map((row) => `\n  ${formatRunKey(row)}`).join('');
  throw new CommandError(`several runs are called "${text}":${names}`, exitCodes.failed);
}

/** The fault of a command about a run that the gateway does not have. */
export function noSuchRun(key: RunKey): CommandError {
  return new CommandError(
    `there is no run ${formatRunKey(key)}; "runlog runs" lists those that are there`,
    exitCodes.failed,
  );
}
