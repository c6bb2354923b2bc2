import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '@runlog/topic-io/error-message';
import { CommandError, exitCodes } from '../command.ts';
import type { Progress } from '../progress.ts';
import type { GatewayTarget } from '../services/gateway-client.ts';
import { clusterOf } from '../services/ingest-cluster.ts';
import type { SendTarget } from '../services/send-events.ts';
import { createFollower, type Follower } from './formats/follow.ts';
import { type FileImport, importFile } from './import-file.ts';
import type { ImportReport } from './import-report.ts';
import { announceFollowing } from './other-followers.ts';
import { RunsHeld } from './runs-held.ts';

/** How long what was read may take to get into the log after the end was asked for. */
const END_MS_MAX = 10_000;
const TRY_AGAIN_MS = 5_000;
/** Paths that are told one by one when they are found. */
const SOURCES_TOLD_MAX = 100;

export interface FollowedOptions {
  readonly paths: readonly string[];
  readonly runId: string | undefined;
  readonly groupId: string | undefined;
  readonly target: SendTarget;
  readonly gateway: GatewayTarget;
  readonly progress: Progress;
  /** Ends the following. */
  readonly stop: AbortSignal;
  readonly now: () => number;
  /** Makes the report of a session: after an outage all is read anew. */
  readonly reportOf: (runs: RunsHeld) => ImportReport;
  readonly onLeftOut: (leftOut: { what: string; count: number }) => void;
}

export interface FollowedImport extends FileImport {
  /** Is true if all that could be read is in the log. */
  isWhole: boolean;
  report: ImportReport;
}

/**
 * Imports what is there and what comes, until `stop`. A server that is away is waited for. Where it cannot be known any more
 * what was sent, all files are read anew and the server is asked what it holds.
 */
export async function importFollowed(options: FollowedOptions): Promise<FollowedImport> {
  const { stop, progress } = options;
  await using _announced = await announced(options);
  const sources = new Set<string>();
  // What was read is still sent after the end was asked for, but not for ever.
  const hard = new AbortController();
  stop.addEventListener('abort', () => setTimeout(() => hard.abort(), END_MS_MAX).unref());
  const follower = createFollower({
    ...{ paths: options.paths, runId: options.runId, stop, now: options.now, onLeftOut: options.onLeftOut },
    onNote: (path, message) => progress.note(`${path}: ${message}`),
    onSource: (path) => {
      if (sources.has(path) || sources.size >= SOURCES_TOLD_MAX) return;
      sources.add(path);
      progress.note(`following ${path}`);
    },
  });
  for (;;) {
    try {
      return await session({ ...options, hard: hard.signal, follower });
    } catch (error) {
      if (hard.signal.aborted || stop.aborted) throw notSent(error);
      if (!(error instanceof CommandError) || error.exitCode !== exitCodes.unreachable) throw error;
      progress.trouble(`${error.message}; trying again`);
      follower.beginAgain();
      await delay(TRY_AGAIN_MS, undefined, { signal: stop }).catch(() => {});
    }
  }
}

/** Two that follow the same may each send what neither has found in the log yet. That is said, and both go on. */
async function announced({ paths, target, progress }: FollowedOptions): Promise<AsyncDisposable | null> {
  try {
    const announcement = await announceFollowing({ paths, ingestUrl: target.ingestUrl });
    for (const { pid, path } of announcement.others) {
      progress.note(
        `${path}: is followed by process ${pid} as well, and what both send into one run may count twice; end one of them`,
      );
    }
    return announcement;
  } catch (error) {
    progress.note(`whether another process follows the same cannot be seen (${messageOf(error)})`);
    return null;
  }
}

function notSent(cause: unknown): CommandError {
  const message =
    'stopped before all that was read is in the log; run the same command again to send the rest';
  return new CommandError(message, exitCodes.failed, { cause });
}

async function session(
  options: FollowedOptions & { hard: AbortSignal; follower: Follower },
): Promise<FollowedImport> {
  const { target, gateway, progress, now, hard: signal, paths, follower } = options;
  const runs = new RunsHeld({
    ...{ target: gateway, now, signal, onTrouble: progress.trouble },
    onProgress: () => {},
  });
  const report = options.reportOf(runs);
  const name = paths.join(' ');
  const result = await importFile({
    ...{ path: name, read: follower.read, groupId: options.groupId, target, runs, now, signal },
    clusterId: await clusterOf(target),
    // Every source names its run. What has none is no object, and is rejected.
    runIdFor: async () => options.runId ?? 'imported',
    // Sources that grow side by side come in another order each time.
    inode: `following ${crypto.randomUUID()}`,
    pace: undefined,
    random: Math.random,
    patienceMs: Number.POSITIVE_INFINITY,
    onRejected: (place, { code, path, message }) =>
      progress.note(`${place}: ${code}: ${path === '' ? '' : `${path} `}${message}`),
    onRetry: ({ reason }) => progress.trouble(`${reason}; trying again`),
    onProgress: () => {},
    onEvent: (run, isNew) => report.count(run, isNew),
  });
  return { ...result, report, isWhole: follower.unread.size === 0 };
}
