import { TopicIoError } from '@runlog/topic-io/topic-io';
import { withinMs } from '@runlog/topic-io/within-ms';

/** Bounds a step of the doctor. Rejects with `unavailable`, and leaves the step to end with its log. */
export function stepWithinMs<T>(timeoutMs: number, doing: string, work: Promise<T>): Promise<T> {
  const late = () => new TopicIoError('unavailable', `${doing}: no answer within ${timeoutMs / 1_000} s`);
  return withinMs(timeoutMs, work, late);
}
