import { STREAM_QUEUE_BYTES_HIGH, STREAM_STUCK_MS_MAX } from '@runlog/schema/limits';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../made-up/manual-clock.ts';
import { Outbox } from './outbox.ts';

function setUp() {
  const clock = new ManualClock(0);
  const sent: { message: string; written: () => void }[] = [];
  const said: string[] = [];
  let deferred: (() => void)[] = [];
  const outbox = new Outbox({
    sink: {
      separator: '\n',
      textOf: ({ text }) => text,
      send: (message, written) => sent.push({ message, written }),
      get bufferedBytes() {
        return sent.reduce((sum, { message }) => sum + message.length, 0);
      },
    },
    clock,
    defer: (run) => deferred.push(run),
    on: {
      full: () => said.push('full'),
      drained: () => said.push('drained'),
      stuck: () => said.push('stuck'),
    },
  });
  const endTick = () => {
    const due = deferred;
    deferred = [];
    for (const run of due) run();
  };
  return { clock, outbox, sent, said, endTick };
}

const frame = (chars: number) => ({ text: 'x'.repeat(chars) });

describe('the outbox', () => {
  it('puts the frames of one tick into one message', () => {
    const { outbox, sent, endTick } = setUp();
    outbox.push({ text: '1' });
    outbox.push({ text: '2' });
    expect(sent).toHaveLength(0);
    endTick();
    expect(sent.map(({ message }) => message)).toEqual(['1\n2']);
  });

  it('splits a long sequence of frames into messages, and never splits a frame', () => {
    const { outbox, sent, endTick } = setUp();
    for (const chars of [40_000, 30_000, 100_000, 10]) outbox.push(frame(chars));
    endTick();
    expect(sent.map(({ message }) => message.length)).toEqual([40_000, 30_000, 100_000, 10]);
  });

  it('is full above the high mark, has room again at half of it, and reports each once', () => {
    const { outbox, sent, said, endTick } = setUp();
    for (let at = 0; at < 5; at += 1) {
      outbox.push(frame(STREAM_QUEUE_BYTES_HIGH / 4));
      endTick();
    }
    expect(outbox.hasRoom).toBe(false);
    expect(said).toEqual(['full']);
    sent.shift()?.written();
    expect(outbox.hasRoom).toBe(false);
    sent.shift()?.written();
    sent.shift()?.written();
    expect(outbox.hasRoom).toBe(true);
    expect(said).toEqual(['full', 'drained']);
  });

  it('reports a queue that stays full for thirty seconds, and none that drains before that', () => {
    const { clock, outbox, sent, said, endTick } = setUp();
    outbox.push(frame(STREAM_QUEUE_BYTES_HIGH + 1));
    endTick();
    clock.advance(STREAM_STUCK_MS_MAX - 1);
    sent.shift()?.written();
    clock.advance(STREAM_STUCK_MS_MAX);
    expect(said).toEqual(['full', 'drained']);
    outbox.push(frame(STREAM_QUEUE_BYTES_HIGH + 1));
    clock.advance(STREAM_STUCK_MS_MAX);
    expect(said).toEqual(['full', 'drained', 'full', 'stuck']);
  });

  it('drops everything once it is disposed', () => {
    const { clock, outbox, sent, endTick } = setUp();
    outbox.push(frame(1));
    outbox.dispose();
    outbox.push(frame(1));
    endTick();
    expect(sent).toHaveLength(0);
    expect(outbox.hasRoom).toBe(false);
    expect(clock.pending).toBe(0);
  });
});
