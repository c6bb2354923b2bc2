import { TopicIoError } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import { createOutage } from './outage.ts';

function observed() {
  const lines: string[] = [];
  const clock = { ms: 0 };
  const say = (_fields: object, message: string) => lines.push(message);
  const outage = createOutage({
    logger: { debug: say, info: say, warn: say, error: say },
    now: () => clock.ms,
  });
  return { outage, lines, clock };
}

const down = new TopicIoError('unavailable', 'no broker answers');

describe('an outage', () => {
  it('is logged once when it begins and once when it is over', () => {
    const { outage, lines, clock } = observed();
    outage.answered();
    for (let request = 0; request < 50; request += 1) outage.failed(down);
    clock.ms += 60_000;
    outage.answered();
    outage.answered();
    expect(lines).toEqual([
      'the log does not take events; clients are asked to retry',
      'the log takes events again',
    ]);
  });

  it('is not over while some partitions still fail', () => {
    const { outage, lines, clock } = observed();
    for (let request = 0; request < 50; request += 1) {
      outage.failed(down);
      clock.ms += 1_000;
      outage.answered();
    }
    expect(lines).toHaveLength(1);
  });

  it('is a refusal while the log says what an operator must change, and no ping ends it', () => {
    const { outage, lines, clock } = observed();
    for (const message of ['the clock is 2 h 0 min ahead', 'the clock is 2 h 1 min ahead']) {
      outage.failed(new TopicIoError('unusable', message));
      expect(outage.refusal).toBe(message);
      clock.ms += 10_000;
      outage.answered();
    }
    expect(outage.refusal).not.toBeNull();
    outage.stored();
    expect(outage.refusal).toBeNull();
    expect(lines).toEqual([
      'the log refuses events until an operator changes something; clients keep them',
      'the log takes events again',
    ]);
  });

  it('does not speak against this process for ever when nobody sends anything', () => {
    const { outage, clock } = observed();
    outage.failed(new TopicIoError('unusable', 'the clock is wrong'));
    clock.ms += 60_000;
    expect(outage.refusal).toBeNull();
  });

  it('is neither begun nor ended by a full queue of this process', () => {
    const { outage, lines } = observed();
    outage.failed(new TopicIoError('overloaded', 'full'));
    outage.failed(new TopicIoError('closed', 'closed'));
    expect(lines).toEqual([]);
  });
});
