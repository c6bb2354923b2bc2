import { describe, expect, it } from 'vitest';
import { LogOutput } from './log-output.ts';

const fault = (code: string) => Object.assign(new Error(code), { code });

/** A stream with room for so many bytes, or with a fault. */
function stream() {
  let text = '';
  const state = { room: Number.POSITIVE_INFINITY, fault: null as string | null };
  const output = new LogOutput({
    writeNow: (bytes) => {
      if (state.fault !== null) throw fault(state.fault);
      if (state.room === 0) throw fault('EAGAIN');
      const written = Math.min(bytes.length, state.room);
      text += bytes.toString('utf8', 0, written);
      state.room -= written;
      return written;
    },
    droppedLine: (count) => `(${count} dropped)\n`,
  });
  return { output, state, text: () => text };
}

describe('the output of log lines', () => {
  it('writes each line at once while there is room', () => {
    const { output, text } = stream();
    output.write('one\n');
    output.write('two\n');
    expect(text()).toBe('one\ntwo\n');
    expect(output.dropped).toBe(0);
  });

  it('holds what a full pipe does not take, and writes it in order once there is room', async () => {
    const { output, state, text } = stream();
    state.room = 2;
    for (const line of ['one\n', 'two\n', 'three\n']) output.write(line);
    expect(text()).toBe('on');
    state.room = Number.POSITIVE_INFINITY;
    await output.flush(1_000);
    expect(text()).toBe('one\ntwo\nthree\n');
    expect(output.dropped).toBe(0);
  });

  it('tries a full pipe again by itself', async () => {
    const { output, state, text } = stream();
    state.room = 0;
    output.write('one\n');
    state.room = Number.POSITIVE_INFINITY;
    await expect.poll(text).toBe('one\n');
  });

  it('drops what is beyond its bound, and says how many lines that were', async () => {
    const { output, state, text } = stream();
    state.room = 0;
    const line = `${'x'.repeat(1_023)}\n`;
    for (let count = 0; count < 1_030; count += 1) output.write(line);
    expect(output.dropped).toBe(6);
    state.room = Number.POSITIVE_INFINITY;
    await output.flush(1_000);
    output.write('new\n');
    expect(text()).toBe(`(6 dropped)\n${line.repeat(1_024)}new\n`);
  });

  it.each(['EPIPE', 'ENOSPC', 'EIO', 'EFBIG'])(
    'drops a line on %s, and goes on when that is over',
    (code) => {
      const { output, state, text } = stream();
      state.fault = code;
      output.write('one\n');
      output.write('two\n');
      state.fault = null;
      output.write('three\n');
      expect(text()).toBe('(2 dropped)\nthree\n');
      expect(output.dropped).toBe(2);
    },
  );

  it('ends a line that was written in part, so that the next one is a line', async () => {
    const { output, state, text } = stream();
    state.room = 2;
    output.write('one\n');
    state.fault = 'ENOSPC';
    output.write('two\n');
    await output.flush(100);
    state.fault = null;
    state.room = Number.POSITIVE_INFINITY;
    output.write('three\n');
    expect(text()).toBe('on\n(2 dropped)\nthree\n');
  });

  it('waits for a full pipe no longer than it is told', async () => {
    const { output, state } = stream();
    state.room = 0;
    output.write('one\n');
    const startMs = performance.now();
    await output.flush(100);
    expect(performance.now() - startMs).toBeLessThan(5_000);
  });
});
