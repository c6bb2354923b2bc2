import { describe, expect, it } from 'vitest';
import { SharedReads } from './shared-reads.ts';

function setUp() {
  const shared = new SharedReads<string>();
  const begun: { signal: AbortSignal; end: (result: string) => void; fail: (error: Error) => void }[] = [];
  const ask = (name: string) => {
    const gone = new AbortController();
    const read = (signal: AbortSignal) =>
      new Promise<string>((end, fail) => {
        begun.push({ signal, end, fail });
      });
    return { result: shared.get(name, { gone: gone.signal, read }), goAway: () => gone.abort() };
  };
  return { begun, ask };
}

describe('reads that are shared', () => {
  it('are done once for all who ask meanwhile, and anew for those who ask later', async () => {
    const { begun, ask } = setUp();
    const results = [ask('a').result, ask('a').result, ask('b').result];
    expect(begun).toHaveLength(2);
    begun[0]!.end('one');
    begun[1]!.end('two');
    expect(await Promise.all(results)).toEqual(['one', 'one', 'two']);
    const later = ask('a').result;
    expect(begun).toHaveLength(3);
    begun[2]!.end('three');
    expect(await later).toBe('three');
  });

  it('go on while anybody waits for them, and end when the last one is gone', async () => {
    const { begun, ask } = setUp();
    const [first, second] = [ask('a'), ask('a')];
    first.goAway();
    expect(begun[0]!.signal.aborted).toBe(false);
    second.goAway();
    second.goAway();
    expect(begun[0]!.signal.aborted).toBe(true);
    const third = ask('a').result;
    expect(begun).toHaveLength(2);
    begun[0]!.end('nobody is there');
    begun[1]!.end('mine');
    expect(await third).toBe('mine');
    await Promise.all([first.result, second.result]);
  });

  it('fail for all who wait for them', async () => {
    const { begun, ask } = setUp();
    const results = [ask('a').result, ask('a').result];
    begun[0]!.fail(new Error('the log is lost'));
    for (const result of results) await expect(result).rejects.toThrow('the log is lost');
    ask('a');
    expect(begun).toHaveLength(2);
  });
});
