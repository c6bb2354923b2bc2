import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { framed } from '../../../../test/support/framed.ts';
import { KafkaFrames } from './frames.ts';

/**
 * Reads a stream into `frames` as a socket does: at most `pieces[n]` bytes at a time, and never more than `target`
 * holds.
 */
function feed(frames: KafkaFrames, bytes: Buffer, pieces: readonly number[]): void {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const { target } = frames;
    expect(target.length).toBeGreaterThan(0);
    const count = bytes.copy(target, 0, at, at + (pieces[turn % pieces.length] ?? 1));
    at += count;
    frames.took(count);
  }
}

describe('frames', () => {
  it('come out whole and in order, however the stream was cut', () => {
    const sizes = fc.array(fc.oneof(fc.nat(20), fc.nat(200_000)), { minLength: 1, maxLength: 8 });
    const pieces = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 100_000 })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(sizes, pieces, fc.nat(255), (lengths, cuts, seed) => {
        const sent = lengths.map((length, index) => framed(Buffer.alloc(length, seed + index)));
        const stream = Buffer.concat(sent);
        const got: Buffer[] = [];
        const shortest = stream.length / 200;
        feed(
          new KafkaFrames((frame) => got.push(frame)),
          stream,
          cuts.map((cut) => Math.max(cut, Math.ceil(shortest))),
        );
        expect(got.length).toBe(sent.length);
        for (const [index, frame] of got.entries()) expect(frame.equals(sent[index]!)).toBe(true);
      }),
    );
  });

  it('are read straight into their own buffer, once their length is known', () => {
    const got: Buffer[] = [];
    const frames = new KafkaFrames((frame) => got.push(frame));
    const sent = framed(Buffer.alloc(1_000_000, 7));
    frames.took(sent.copy(frames.target, 0, 0, 10));
    const { target } = frames;
    expect(target.length).toBe(sent.length - 10);
    frames.took(sent.copy(target, 0, 10));
    expect(got[0]?.buffer).toBe(target.buffer);
    expect(got[0]?.equals(sent)).toBe(true);
  });

  it.each([
    ['of an HTTP server', Buffer.from('HTTP/1.1 400 Bad Request\r\n')],
    ['below nothing', Buffer.from([0xff, 0xff, 0xff, 0xff])],
  ])('are refused when the length is one %s', (_, bytes) => {
    const frames = new KafkaFrames(() => undefined);
    const count = bytes.copy(frames.target);
    expect(() => frames.took(count)).toThrow('what answers is not a Kafka broker');
  });
});
