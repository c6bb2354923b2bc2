import { TopicIoError } from '@runlog/topic-io/topic-io';

/** A reader was overtaken by retention, or the topic was recreated: either way the state is no fold of the log. */
export function truncated(
  topic: string,
  at: { partition: number; requestedOffset: number; startOffset: number; stableEnd: number },
): TopicIoError {
  return new TopicIoError(
    'unusable',
    `${topic} partition ${at.partition} holds offsets ${at.startOffset} to ${at.stableEnd}, but folding stands at ` +
      `${at.requestedOffset}: records were deleted before they were folded, or the topic was recreated`,
  );
}
