import { LogWatch, type WatchClock } from '@runlog/run-feed/log-watch';
import { type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';

/** A log that gives nothing for so long does not answer. With the time until that is noticed, a client waits less than 2 s. */
const SILENT_MS_MAX = 1_400;

/**
 * Reads the log on behalf of a client. Rejects with `unavailable` when the log falls silent in the middle of it, or when
 * `signal` aborts. The signal that `read` gets aborts then too.
 */
export async function whileLogAnswers<Result>(
  log: { io: TopicIo; clock: WatchClock; signal: AbortSignal },
  read: (io: TopicIo, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const silent = new AbortController();
  using watch = new LogWatch({
    ...{ clock: log.clock, silentMsMax: SILENT_MS_MAX },
    onChange: () => silent.abort(),
  });
  const signal = AbortSignal.any([log.signal, silent.signal]);
  let giveUp: () => void = () => undefined;
  const givenUp = new Promise<never>((_, reject) => {
    giveUp = () => {
      const why = silent.signal.aborted ? `nothing came in ${SILENT_MS_MAX} ms` : 'the client is gone';
      reject(new TopicIoError('unavailable', why));
    };
  });
  signal.addEventListener('abort', giveUp, { once: true });
  if (signal.aborted) giveUp();
  try {
    return await Promise.race([read(watch.watch(log.io), signal), givenUp]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
