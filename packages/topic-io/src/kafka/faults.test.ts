import { describe, expect, it } from 'vitest';
import { TopicIoError } from '../topic-io.ts';
import {
  about,
  isRetriable,
  KAFKA,
  KafkaFault,
  mayHaveAppended,
  toKafkaFault,
  toTopicIoError,
} from './faults.ts';

const doing = 'append';

describe('faults', () => {
  it('unwraps errors of kafkajs and reads codes that are not in its table', () => {
    const unknown = Object.assign(new Error('Unknown error code 90'), {
      type: 'KAFKAJS_UNKNOWN_ERROR_CODE',
      code: -99,
    });
    const wrapped = Object.assign(new Error('retries'), {
      name: 'KafkaJSNumberOfRetriesExceeded',
      cause: unknown,
    });
    expect(toKafkaFault(wrapped).code).toBe(KAFKA.producerFenced);
  });

  it('treats a failure without a broker’s verdict as passing, and as a possible append', () => {
    const lost = toKafkaFault(new Error('Connection error: read ECONNRESET'));
    expect(lost.code).toBeNull();
    expect(isRetriable(lost)).toBe(true);
    expect(mayHaveAppended(lost)).toBe(true);
    expect(toTopicIoError(lost, { doing }).code).toBe('unavailable');
  });

  it('says fenced only if a writer id is held', () => {
    const fault = new KafkaFault(KAFKA.invalidProducerEpoch, 'old epoch');
    expect(isRetriable(fault)).toBe(false);
    expect(toTopicIoError(fault, { doing, transactional: true }).code).toBe('fenced');
    expect(toTopicIoError(fault, { doing }).code).toBe('unavailable');
  });

  it.each([
    [KAFKA.messageTooLarge, 'too_large'],
    [29, 'denied'],
    [58, 'denied'],
    [44, 'unusable'],
    [6, 'unavailable'],
    [-1, 'unavailable'],
  ])('maps Kafka error %i to %s', (code, expected) => {
    expect(toTopicIoError(new KafkaFault(code, 'no'), { doing }).code).toBe(expected);
  });

  it('says each error of Kafka by its name, with what the request was about', async () => {
    const refused = Promise.reject(new KafkaFault(53, ''));
    const named = await about(
      [
        { resource: 'topic', name: 'run-events', partition: 3, operation: 'Write' },
        { resource: 'transactional-id', name: 'run-snapshots.3', operation: 'Write' },
      ],
      refused,
    ).catch((error: unknown) => error);
    expect(toTopicIoError(named, { doing }).message).toBe(
      'append: TRANSACTIONAL_ID_AUTHORIZATION_FAILED: transactional id run-snapshots.3',
    );
    const moved = await about(
      { resource: 'topic', name: 'run-events', partition: 3, operation: 'Read' },
      Promise.reject(new KafkaFault(6, '')),
    ).catch((error: unknown) => error);
    expect(toTopicIoError(moved, { doing }).message).toBe(
      'append: NOT_LEADER_OR_FOLLOWER: topic run-events, partition 3',
    );
  });

  it('does not take a connection that is lost while it logs in for a wrong password', () => {
    const error = (message: string) =>
      Object.assign(new Error(message), { name: 'KafkaJSSASLAuthenticationError' });
    expect(toKafkaFault(error('SASL PLAIN authentication failed: Closed connection')).code).toBeNull();
    expect(toKafkaFault(error('SASL PLAIN authentication failed: Authentication failed')).code).toBe(58);
  });

  it('leaves a fault of the port as it is', () => {
    const fault = new TopicIoError('closed', 'closed');
    expect(toTopicIoError(fault, { doing })).toBe(fault);
  });
});
