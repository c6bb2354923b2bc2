import { setTimeout as delay } from 'node:timers/promises';
import { RunReplica } from '@runlog/client/run-replica';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { DeliveredEntry, DeliveredSnapshot, RunStatus } from '@runlog/schema/run/snapshot';
import type { ServerFrameFields } from '@runlog/schema/stream/server-frames';
import { printable, printableJson } from '@runlog/service-kit/printable';
import { messageOf } from '@runlog/topic-io/error-message';
import { type Command, exitCodes, parseCommandLine, wholeNumber } from '../command.ts';
import { entryLine } from '../entry-text.ts';
import { createProgress } from '../progress.ts';
import { retryDelayMs } from '../retry.ts';
import { gatewayVariables, readClientConfig } from '../services/client-config.ts';
import { selectRun } from '../services/run-selection.ts';
import { openRunStream } from '../services/run-stream.ts';
import { stopSignal } from '../stop-signal.ts';

const options = {
  entries: { type: 'string', value: 'N', help: 'begin with the newest N entries (default: 10)' },
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
    'Follows the event log of one run until Ctrl-C. After a lost connection it continues where it stopped, without a gap or a repeat. If there is no run cluster/run/group yet, the command says so on stderr and waits for it. RUN is written as for "runlog show".',
  options,
  examples: ['runlog tail run-7', 'runlog tail c1/run-7/A --json', 'runlog tail run-7 --until-end && deploy'],
  environment: gatewayVariables,
  run: async (args, env) => {
    const { values, positionals } = parseCommandLine(args, options, { argumentsMax: 1 });
    const target = readClientConfig(env, { gatewayUrl: values.url });
    const entries = wholeNumber({ name: 'entries', text: values.entries, fallback: 10, min: 0, max: 100 });
    const key = await selectRun(positionals[0], target);
    const print = (entry: DeliveredEntry) =>
      process.stdout.write(
        `${values.json === true ? printableJson(JSON.stringify(entry)) : entryLine(entry)}\n`,
      );
    const untilEnd = values['until-end'] === true;
    const signal = stopSignal();
    const progress = createProgress({ stream: process.stderr, now: () => performance.now() });
    const follower = createFollower({ run: formatRunKey(key), entries, print, note: progress.note });
    for (let attempt = 0; !signal.aborted; ) {
      try {
        for await (const data of openRunStream(target, { key, since: follower.since(), signal })) {
          attempt = 0;
          const status = follower.receive(JSON.parse(data) as ServerFrameFields);
          if (untilEnd && status !== 'running') return status === 'failed' ? exitCodes.failed : exitCodes.ok;
          if (follower.mustAskAgain()) break;
        }
      } catch (error) {
        if (signal.aborted) break;
        progress.trouble(`${formatRunKey(key)}: ${messageOf(error)}; trying again`);
      }
      const delayMs = retryDelayMs({ attempt, retryAfterMs: 0, random: Math.random });
      await delay(delayMs, undefined, { signal }).catch(() => {});
      attempt += 1;
    }
    return exitCodes.ok;
  },
};

interface Follower {
  /** Returns the run's status after the frame. */
  receive(frame: ServerFrameFields): RunStatus;
  since(): RunReplica['since'];
  /** Is true when the newest frame did not continue the state that is held. */
  mustAskAgain(): boolean;
}

/** Prints each entry of a run once, whichever frame brings it. */
export function createFollower(use: {
  /** The name of the run in notes to the user. */
  run: string;
  entries: number;
  print: (entry: DeliveredEntry) => void;
  note: (text: string) => void;
}): Follower {
  const replica = new RunReplica();
  let printed: { epoch: string; seq: number } | null = null;
  let ask = false;
  let isAwaited = false;
  const noteAbsence = () => {
    // A reconnection brings the same empty snapshot again; a run that was shown before is not "not there yet".
    if (isAwaited || printed !== null) return;
    isAwaited = true;
    use.note(`there is no run ${use.run} yet; waiting for it`);
  };
  const printNew = (entries: readonly DeliveredEntry[]) => {
    const epoch = replica.snapshot?.position?.epoch;
    if (epoch === undefined) return;
    const fresh =
      printed === null
        ? use.entries === 0
          ? []
          : entries.slice(-use.entries)
        : entries.filter((entry) => printed?.epoch !== epoch || entry.seq > printed.seq);
    for (const entry of fresh) use.print(entry);
    printed = { epoch, seq: Math.max(entries.at(-1)?.seq ?? 0, printed?.epoch === epoch ? printed.seq : 0) };
  };
  return {
    receive(frame) {
      const reaction = replica.receive(frame);
      ask = reaction.ask;
      for (const update of reaction.updates) {
        switch (update.kind) {
          case 'snapshot':
            if (update.reason !== null) use.note(`the run starts over: ${update.reason}`);
            else if (update.snapshot.position === null) noteAbsence();
            printNew(update.snapshot.event_log);
            break;
          case 'step':
            if (update.skipped > 0)
              use.note(`${update.skipped} entries were not sent: this reader was too slow`);
            printNew(update.entries);
            break;
          case 'end':
            use.note(`the run has ended: ${endText(update.status, replica.snapshot)}`);
            break;
          default: {
            const unreachable: never = update;
            throw new Error(`unknown update ${String(unreachable)}`);
          }
        }
      }
      return replica.snapshot?.status ?? 'running';
    },
    since: () => replica.since,
    mustAskAgain: () => ask,
  };
}

/** The frame says how a run ended; the state that came before it says why. */
function endText(status: RunStatus, snapshot: DeliveredSnapshot | null): string {
  const end = snapshot?.end ?? null;
  const isKnown = end !== null && end.status === status && end.reason !== null;
  return isKnown ? printable(`${status}: ${end.reason}`) : status;
}
