import { TopicIoError } from '@runlog/topic-io/topic-io';
import { CommandError, exitCodes, UsageError } from '../command.ts';
import { formatCount, formatDuration, formatRate } from '../format.ts';
import { createProgress } from '../progress.ts';
import { stopSignal } from '../stop-signal.ts';
import { chooseLog } from './chosen-log.ts';
import { withChosenLog } from './log-access.ts';
import { askOwner } from './owner-control.ts';
import { doOwnerWork, type OwnerRequest, type OwnerResult } from './owner-work.ts';

/**
 * Has work done that writes to the log. If another process owns the embedded log, that process does it; otherwise this
 * process does, and owns the log meanwhile. On Kafka this process always does it. Progress goes to stderr.
 *
 * Rejects with `UsageError` if no variable names the folder and no process owns it: it may be left over from a trial
 * while the services use Kafka. `args` are the command's own, for the message that says what to type.
 */
export async function haveDone(
  request: OwnerRequest,
  use: { args: readonly string[]; env: Readonly<NodeJS.ProcessEnv> },
): Promise<OwnerResult> {
  const { config, named } = await chooseLog(use.env);
  const signal = stopSignal();
  const progress = createProgress({ stream: process.stderr, now: Date.now });
  const begunMs = Date.now();
  const onProgress = ({ step, done, total }: { step: string; done: number; total: number }) =>
    progress.update(() => {
      const perSecond = done / Math.max((Date.now() - begunMs) / 1_000, 0.001);
      const left = formatDuration((total - done) / Math.max(perSecond, 1));
      return `${step}: ${formatCount(done)} of ${formatCount(total)}, ${formatRate(perSecond)}/s, ${left} left`;
    });
  try {
    if (config.engine === 'embedded') {
      const answered = await askOwner(request, { folder: config.dataFolder, signal, onProgress });
      if (answered !== null) return answered;
      if (!named) throw unnamedLog(config.dataFolder, ['runlog', request.work, ...use.args]);
    }
    let result: OwnerResult | null = null;
    await withChosenLog(config, { command: request.work, readOnly: false }, async ({ io, logger }) => {
      result = await doOwnerWork(request, { io, config, logger, signal, onProgress });
      return exitCodes.ok;
    });
    return result!;
  } catch (error) {
    if (!(error instanceof TopicIoError)) throw error;
    throw new CommandError(error.message, exitCodes.failed, { cause: error });
  } finally {
    progress.end();
  }
}

function unnamedLog(folder: string, words: readonly string[]): UsageError {
  // In a checkout only npx finds `runlog`; where it is installed, npx finds it as well.
  const typed = ['npx', ...words].map(shellWord).join(' ');
  return new UsageError(
    `nothing was done, because no variable names this log and no "runlog up" runs on it. Type one of these:\n` +
      `  RUNLOG_DATA_DIR=${folder} ${typed}\n  KAFKA_BROKERS=host:9092 ${typed}`,
  );
}

/** Quoted where a shell would otherwise take it apart. */
function shellWord(word: string): string {
  return /^[\w./=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
