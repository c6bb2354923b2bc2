import { STREAM_QUEUE_BYTES_HIGH, STREAM_STUCK_MS_MAX } from '@runlog/schema/limits';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../made-up/manual-clock.ts';
import { textSink } from '../made-up/text-sink.ts';
import type { Flushable } from './flush-queue.ts';
import { Outbox } from './outbox.ts';

function setUp() {
  const clock = new ManualClock(0);
  const sent: { message: string; written: () => void }[] = [];
  const said: string[] = [];
  let deferred: Flushable[] = [];
  const outbox = new Outbox({
    sink: textSink({
      send: (message, written) => sent.push({ message, written }),
      bufferedBytes: () => sent.reduce((sum, { message }) => sum + message.length, 0),
    }),
    clock,
    defer: (outbox) => deferred.push(outbox),
    on: {
      full: () => said.push('full'),
      drained: () => said.push('drained'),
      stuck: () => said.push('stuck'),
    },
  });
  const endTick = () => {
    const due = deferred;
    deferred = [];
    for (const outbox of due) outbox.flush();
  };
  return { clock, outbox, sent, said, endTick };
}

const frame = (chars: number) => ({ text: 'x'.repeat(chars) });

describe('the outbox', () => {
  it('hands the frames of one tick over in one call', () => {
    const { outbox, sent, endTick } = setUp();
    outbox.push({ text: '1' });
    outbox.push({ text: '2' });
    expect(sent).toHaveLength(0);
    endTick();
    expect(sent.map(({ message }) => message)).toEqual(['1\n2']);
  });

  it('hands a long sequence of frames over in several calls, and never splits a frame', () => {
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
