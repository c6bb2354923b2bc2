import type { Logger } from '@runlog/topic-io/logger';
import { isDenial, type TopicIoError } from '@runlog/topic-io/topic-io';

/**
 * Returns a function that is told of each fault, and of null when there is none. It logs a denial once when it begins and
 * once when it is over, and leaves other faults to others.
 */
export function denialLines(logger: Logger, fields: object = {}): (fault: TopicIoError | null) => void {
  let isDenied = false;
  return (fault) => {
    if (isDenial(fault) && !isDenied) {
      isDenied = true;
      const reason = fault.message;
      logger.error(
        { ...fields, reason },
        'the log denies what this service needs; trying until it is allowed',
      );
    } else if (fault === null && isDenied) {
      isDenied = false;
      logger.info({ ...fields }, 'the log allows it again');
    }
  };
}
