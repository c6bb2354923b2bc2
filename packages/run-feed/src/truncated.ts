import { TopicIoError } from '@runlog/topic-io/topic-io';

/**
 * The fault of a reader that retention has overtaken, or whose topic was recreated or has lost its tail. Either way its state is
 * not a fold of the log.
 */
export function truncated(
  topic: string,
  at: { partition: number; requestedOffset: number; startOffset: number; stableEnd: number },
): TopicIoError {
  return new TopicIoError(
    'unusable',
    `${topic} partition ${at.partition} holds offsets ${at.startOffset} to ${at.stableEnd}, but the fold has reached ` +
      `${at.requestedOffset}: records were deleted before they were folded, the brokers have lost them, or the topic was recreated`,
  );
}
