import { describe, expect, it } from 'vitest';
import { TopicIoError } from '../topic-io.ts';
import { isRetriable, KAFKA, KafkaFault, mayHaveAppended, toKafkaFault, toTopicIoError } from './faults.ts';

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
    [29, 'unusable'],
    [6, 'unavailable'],
    [-1, 'unavailable'],
  ])('maps Kafka error %i to %s', (code, expected) => {
    expect(toTopicIoError(new KafkaFault(code, 'no'), { doing }).code).toBe(expected);
  });

  it('leaves a fault of the port as it is', () => {
    const fault = new TopicIoError('closed', 'closed');
    expect(toTopicIoError(fault, { doing })).toBe(fault);
  });
});
