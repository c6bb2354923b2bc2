import { describe, expect, it } from 'vitest';
import { answerTo } from './encoded-frame.ts';
import { SharedAnswers } from './shared-answers.ts';

function setUp({ max = 3 }: { max?: number } = {}) {
  const answers = new SharedAnswers({ max });
  const made: string[] = [];
  const ask = (name: string, { state = stateA, nowMs = 0 }: { state?: object; nowMs?: number } = {}) =>
    answers.get(name, {
      state,
      nowMs,
      make() {
        made.push(name);
        return { body: { ch: name, made: made.length }, seq: 7 };
      },
    });
  return { ask, made };
}

const stateA = {};
const stateB = {};

describe('shared answers', () => {
  it('are made once for all who ask within one second of the same state', () => {
    const { ask, made } = setUp();
    const first = ask('run:a', { nowMs: 1_000 });
    expect(ask('run:a', { nowMs: 1_999 })).toBe(first);
    expect(made).toEqual(['run:a']);
  });

  it.each([
    ['another state', { state: stateB }],
    ['the next second', { nowMs: 1_000 }],
    ['an earlier second, after the clock was set back', { nowMs: -1 }],
  ])('are made anew for %s', (_, asked) => {
    const { ask } = setUp();
    const first = ask('run:a', { nowMs: 999 });
    const second = ask('run:a', { nowMs: 999, ...asked });
    expect(second).not.toBe(first);
    expect(ask('run:a', { nowMs: 999, ...asked })).toBe(second);
  });

  it('are dropped beyond the bound, the oldest first', () => {
    const { ask, made } = setUp({ max: 2 });
    for (const name of ['a', 'b', 'c', 'b', 'a']) ask(name);
    expect(made).toEqual(['a', 'b', 'c', 'a']);
  });

  it('become frames that differ in the id of the request alone', () => {
    const { ask } = setUp();
    const end = ask('run:a');
    const frames = [1, -3, Number.MAX_SAFE_INTEGER].map((id) => answerTo(id, end));
    for (const [at, id] of [1, -3, Number.MAX_SAFE_INTEGER].entries()) {
      const { text, seq, parts } = frames[at]!;
      expect(JSON.parse(text)).toEqual({ id, ch: 'run:a', made: 1 });
      expect(seq).toBe(7);
      expect(Buffer.concat([Buffer.from(parts!.head), parts!.end.bytes]).toString()).toBe(text);
    }
    expect(frames[1]!.parts!.end.bytes).toBe(frames[0]!.parts!.end.bytes);
  });
});
