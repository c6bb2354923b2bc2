import type { GapReason, RunUpdate } from '@runlog/client/run-update';
import { createStreamClient, type FeedState, type StreamStatus } from '@runlog/client/stream-client';
import { ChannelRefusedError, StreamStoppedError } from '@runlog/client/stream-errors';
import { eventNames } from '@runlog/schema/events/event-types';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { DeliveredEntry, DeliveredSnapshot, RunStatus } from '@runlog/schema/run/snapshot';
import { closeCodes } from '@runlog/schema/stream/close-codes';
import { printable, printableJson } from '@runlog/service-kit/printable';
import { WebSocket } from 'ws';
import { type Command, CommandError, exitCodes, parseCommandLine, wholeNumber } from '../command.ts';
import { entryFilterOf, entryFilterOptions } from '../entry-filter.ts';
import { entryLine } from '../entry-text.ts';
import { roomToPrint } from '../print.ts';
import { createProgress } from '../progress.ts';
import { gatewayVariables, readClientConfig } from '../services/client-config.ts';
import { selectRun } from '../services/run-selection.ts';
import { stopSignal } from '../stop-signal.ts';

const options = {
  entries: { type: 'string', value: 'N', help: 'begin with the newest N entries (default: 10)' },
  ...entryFilterOptions,
  'until-end': {
    type: 'boolean',
    help: 'stop when the run ends: exit code 0 if it finished, 1 if it failed',
  },
  json: { type: 'boolean', help: 'one JSON object per line' },
  url: { type: 'string', value: 'URL', help: 'address of the gateway; overrides RUNLOG_GATEWAY_URL' },
} as const;

export const command: Command = {
  usage: 'RUN [options]',
  description:
    'Follows the event log of one run until Ctrl-C. After a lost connection it continues where it stopped, without a gap or a repeat: what it missed is fetched from the history. If entries cannot be had, stderr says how many and where. If there is no run cluster/run/group yet, the command says so on stderr and waits for it. RUN is written as for "runlog show".',
  options,
  examples: [
    'runlog tail run-7',
    'runlog tail c1/run-7/A --json',
    `runlog tail run-7 --not-type ${eventNames.EPOCH_COMPLETED},${eventNames.REWARD_COMPUTED}`,
    'runlog tail run-7 --until-end && deploy',
  ],
  environment: gatewayVariables,
  run: async (args, env) => {
    const { values, positionals } = parseCommandLine(args, options, { argumentsMax: 1 });
    const target = readClientConfig(env, { gatewayUrl: values.url });
    const entries = wholeNumber({ name: 'entries', text: values.entries, fallback: 10, min: 0, max: 100 });
    const filter = entryFilterOf(values);
    const key = formatRunKey(await selectRun(positionals[0], target));
    const print = (entry: DeliveredEntry) =>
      process.stdout.write(
        `${values.json === true ? printableJson(JSON.stringify(entry)) : entryLine(entry)}\n`,
      );
    const signal = stopSignal();
    const progress = createProgress({ stream: process.stderr, now: () => performance.now() });
    const follower = createFollower({ run: key, entries, print, note: progress.note });
    const client = createStreamClient({
      url: target.gatewayUrl,
      webSocket: WebSocket,
      ...(target.key === undefined ? {} : { key: target.key }),
      backfill: { entriesMax: Number.POSITIVE_INFINITY },
      onFeed: (feed) => progress.note(`${key}: ${feedText(feed)}`),
      onStatus: (status) => noteStatus(status, (text) => progress.trouble(`${key}: ${text}`)),
    });
    try {
      for await (const update of client.run(key, { signal, acknowledge: true, filter })) {
        const status = follower.receive(update);
        await roomToPrint(signal);
        if (values['until-end'] === true && status !== 'running') {
          return status === 'failed' ? exitCodes.failed : exitCodes.ok;
        }
      }
      return exitCodes.ok;
    } catch (error) {
      throw refusalOf(error, target.gatewayUrl);
    } finally {
      client.close();
    }
  },
};

function noteStatus(status: StreamStatus, trouble: (text: string) => void): void {
  if (status.state === 'waiting') trouble('no connection to the gateway; trying again');
}

function feedText(feed: FeedState): string {
  if (feed.state === 'live') return 'the gateway reads the log again';
  return `the gateway has read nothing new since ${feed.since}, because the log does not answer`;
}

/** Returns what the server refused for good as a fault of the command, and anything else as it is. */
function refusalOf(error: unknown, url: string): unknown {
  if (error instanceof StreamStoppedError) {
    const hint =
      error.code === closeCodes.bad_key.close || error.code === closeCodes.no_auth.close
        ? '; set RUNLOG_KEY to a key that may view'
        : '';
    return new CommandError(`${url} refused the stream: ${error.message}${hint}`, exitCodes.failed);
  }
  if (error instanceof ChannelRefusedError) {
    return new CommandError(`${url} refused the run: ${error.message}`, exitCodes.failed);
  }
  return error;
}

interface Follower {
  /** Returns the run's status as of what was printed. */
  receive(update: RunUpdate): RunStatus;
}

/** Prints each entry of a run once, and notes on stderr what else there is to say. */
export function createFollower(use: {
  /** The name of the run in notes to the user. */
  run: string;
  /** How many of the first entries are printed. */
  entries: number;
  print: (entry: DeliveredEntry) => void;
  note: (text: string) => void;
}): Follower {
  let hasBegun = false;
  let isAwaited = false;
  let snapshot: DeliveredSnapshot | null = null;
  let ended: RunStatus = 'running';
  const noteAbsence = () => {
    // A reconnection brings the same empty snapshot again; a run that was shown before is not "not there yet".
    if (isAwaited || hasBegun) return;
    isAwaited = true;
    use.note(`there is no run ${use.run} yet; waiting for it`);
  };
  const printAll = (entries: readonly DeliveredEntry[]) => {
    for (const entry of entries) use.print(entry);
  };
  return {
    receive(update) {
      switch (update.kind) {
        case 'snapshot': {
          snapshot = update.snapshot;
          // After a time without a connection, the server does not say why.
          const isAnother = update.startsOver && hasBegun && snapshot.position !== null;
          const reason = update.reason ?? (isAnother ? 'it is another one under the same name' : null);
          if (reason !== null) use.note(`the run starts over: ${reason}`);
          else if (snapshot.position === null) noteAbsence();
          const { entries } = update;
          printAll(
            hasBegun || isAwaited
              ? entries
              : entries.slice(entries.length - Math.min(use.entries, entries.length)),
          );
          hasBegun ||= snapshot.position !== null;
          break;
        }
        case 'step':
          snapshot = update.snapshot;
          printAll(update.entries);
          hasBegun = true;
          break;
        case 'gap':
          use.note(gapText(update));
          break;
        case 'end':
          ended = update.status;
          use.note(`the run has ended: ${endText(update.status, snapshot)}`);
          return ended;
        default: {
          const unreachable: never = update;
          throw new Error(`unknown update ${String(unreachable)}`);
        }
      }
      if (snapshot?.status === 'running') ended = 'running';
      return ended;
    },
  };
}

const gapReasons: Readonly<Record<GapReason, string>> = {
  too_many: 'too many to fetch',
  history_gone: 'the log no longer holds them',
  no_such_run: 'the run was deleted',
  forbidden: 'the key does not show them',
  not_supported: 'the gateway is older than this command',
  unavailable: 'the gateway could not read them',
};

function gapText(gap: { count: number | null; after: number; before: number; reason: GapReason }): string {
  const which = gap.count === null ? 'entries' : `${gap.count} entries`;
  return `${which} between ${gap.after} and ${gap.before} are not shown: ${gapReasons[gap.reason]}`;
}

/** The update says how a run ended; the state that came with it says why. */
function endText(status: RunStatus, snapshot: DeliveredSnapshot | null): string {
  const end = snapshot?.end ?? null;
  const isKnown = end !== null && end.status === status && end.reason !== null;
  return isKnown ? printable(`${status}: ${end.reason}`) : status;
}
