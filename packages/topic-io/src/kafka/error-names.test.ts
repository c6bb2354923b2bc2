import { errorCodes } from 'kafkajs/src/protocol/error.js';
import { describe, expect, it } from 'vitest';
import { errorName } from './error-names.ts';

/** Kafka gave these codes other names after kafkajs was written. */
const RENAMED: Readonly<Record<string, string>> = {
  UNKNOWN: 'UNKNOWN_SERVER_ERROR',
  NOT_LEADER_FOR_PARTITION: 'NOT_LEADER_OR_FOLLOWER',
  GROUP_LOAD_IN_PROGRESS: 'COORDINATOR_LOAD_IN_PROGRESS',
  GROUP_COORDINATOR_NOT_AVAILABLE: 'COORDINATOR_NOT_AVAILABLE',
  NOT_COORDINATOR_FOR_GROUP: 'NOT_COORDINATOR',
};

describe('names of Kafka’s errors', () => {
  it('agree with kafkajs’s table, apart from those that Kafka has renamed', () => {
    expect(errorCodes.length).toBeGreaterThan(85);
    const names = errorCodes.map(({ code }) => errorName(code));
    expect(names).toEqual(errorCodes.map(({ type }) => RENAMED[type] ?? type));
  });

  it('go on behind the end of that table', () => {
    expect(errorName(0)).toBe('NONE');
    expect(errorName(89)).toBe('THROTTLING_QUOTA_EXCEEDED');
    expect(errorName(90)).toBe('PRODUCER_FENCED');
    expect(errorName(120)).toBe('TRANSACTION_ABORTABLE');
    expect(errorName(133)).toBe('SHARE_SESSION_LIMIT_REACHED');
    expect(errorName(999)).toBe('KAFKA_ERROR_999');
  });
});
