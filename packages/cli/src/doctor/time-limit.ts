import { TopicIoError } from '@runlog/topic-io/topic-io';

/** Bounds what has no bound of its own. Rejects with `unavailable`, and leaves the work to end with its log. */
export async function withinMs<T>(timeoutMs: number, doing: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new TopicIoError('unavailable', `${doing}: no answer within ${timeoutMs / 1_000} s`)),
      timeoutMs,
    );
  });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
