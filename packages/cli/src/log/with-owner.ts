import { createLogger } from '@runlog/service-kit/logger';
import { TopicIoError } from '@runlog/topic-io/topic-io';
import { CommandError, exitCodes } from '../command.ts';
import { createProgress, formatCount, formatDuration, formatRate } from '../progress.ts';
import { stopSignal } from '../stop-signal.ts';
import { readLogConfig, withLog } from './log-access.ts';
import { askOwner } from './owner-control.ts';
import { doOwnerWork, type OwnerRequest, type OwnerResult } from './owner-work.ts';

/**
 * Has work done that writes to the log. If another process owns the embedded log, that process does it; otherwise this
 * process does, and owns the log meanwhile. On Kafka this process always does it. Progress goes to stderr.
 */
export async function haveDone(
  request: OwnerRequest,
  env: Readonly<NodeJS.ProcessEnv>,
): Promise<OwnerResult> {
  const config = readLogConfig(env);
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
    }
    let result: OwnerResult | null = null;
    const logger = createLogger({ service: request.work, level: 'warn', destination: 'stderr' });
    await withLog(env, { command: request.work, readOnly: false }, async ({ io }) => {
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
