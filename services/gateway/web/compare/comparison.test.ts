import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deliveredSnapshot } from '../../../../test/support/entry-factory.ts';
import { figureOf, runFiguresOf } from '../../../../test/support/figure-factory.ts';
import { type MadeUpConnection, madeUpConnection } from '../made-up/made-up-connection.ts';
import { createComparison } from './comparison.ts';

const KEYS = ['c1/a/g', 'c1/b/g', 'c1/c/g'];

let connection: MadeUpConnection;
beforeEach(() => {
  vi.useFakeTimers();
  connection = madeUpConnection();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Lets time pass for timers and for the connection alike. */
async function pass(ms: number): Promise<void> {
  connection.advance(ms);
  await vi.advanceTimersByTimeAsync(ms);
}
function startOf(data: Record<string, unknown>) {
  return { kind: 'ok' as const, body: { events: [{ seq: 1, event: { data } }], next: null } };
}
function snapshotOf(key: string, overrides: Parameters<typeof deliveredSnapshot>[0] = {}) {
  const entry = connection.listened.find((each) => each.key === key && !each.isEnded)!;
  entry.listener({
    ...{ kind: 'snapshot', snapshot: deliveredSnapshot(overrides), entries: [], position: null },
    ...{ filtered: 0, startsOver: false, reason: null },
  });
}

describe('a comparison', () => {
  it('asks for everything at once: two channels and one event of each run', () => {
    using comparison = createComparison({ connection });
    comparison.compare(KEYS);
    expect(connection.figures.map(({ key }) => key)).toEqual(KEYS);
    expect(connection.listened.map(({ key }) => key)).toEqual(KEYS);
    expect(connection.asked.map(({ path }) => path)).toEqual(KEYS.map((key) => `v1/runs/${key}/events`));
    expect(connection.asked[0]!.options.query).toEqual({ type: 'TRAINING_STARTED', limit: 1, after: -1 });
  });

  it('asks for six settings at a time, until each run has its own', async () => {
    const keys = Array.from({ length: 50 }, (_, at) => `c1/r${at}/g`);
    const open: (() => void)[] = [];
    const ask = vi.spyOn(connection, 'ask').mockImplementation(async () => {
      await new Promise<void>((resolve) => open.push(resolve));
      return startOf({ lr: 1 }) as never;
    });
    using comparison = createComparison({ connection });
    comparison.compare(keys);
    expect(ask).toHaveBeenCalledTimes(6);
    while (open.length > 0) {
      open.shift()!();
      await pass(0);
    }
    await pass(1_000);
    expect(ask).toHaveBeenCalledTimes(50);
    expect(comparison.runs.value.every(({ settings }) => settings !== null && settings !== 'none')).toBe(
      true,
    );
  });

  it('tells an unknown, a forbidden and a deleted run from the others, and takes them back', async () => {
    using comparison = createComparison({ connection });
    comparison.compare(KEYS);
    snapshotOf('c1/a/g', { position: null });
    snapshotOf('c1/b/g');
    connection.listened[2]!.listener({ kind: 'refused', code: 'forbidden', message: 'not yours' });
    snapshotOf('c1/b/g', { position: null });
    await pass(1_000);
    expect(comparison.runs.value.map(({ failure }) => failure?.kind)).toEqual([
      ...['unknown_run', 'deleted', 'forbidden'],
    ]);
    connection.answer(() => startOf({ lr: 2 }));
    snapshotOf('c1/a/g');
    await pass(1_000);
    const [first] = comparison.runs.value;
    expect(first).toMatchObject({ failure: null, settings: new Map([['lr', '2']]) });
  });

  it('keeps the lines of runs that stay when others come and go', () => {
    using comparison = createComparison({ connection });
    comparison.compare(KEYS);
    comparison.compare(['c1/c/g', 'c1/d/g']);
    expect(comparison.runs.value.map(({ key, place }) => [key, place])).toEqual([
      ['c1/c/g', 2],
      ['c1/d/g', 0],
    ]);
    expect(connection.figures.map(({ isEnded }) => isEnded)).toEqual([true, true, false, false]);
    expect(connection.listened.map(({ isEnded }) => isEnded)).toEqual([true, true, false, false]);
  });

  it('shows what comes twice a second at most', async () => {
    using comparison = createComparison({ connection });
    comparison.compare(KEYS);
    let shown = 0;
    const stop = comparison.runs.subscribe(() => {
      shown += 1;
    });
    shown = 0;
    for (let at = 0; at < 40; at += 1) {
      const figures = runFiguresOf([figureOf([at])]);
      connection.figures[at % 3]!.listener({ kind: 'figures', figures, reason: null });
      await pass(50);
    }
    stop();
    expect(shown).toBeGreaterThanOrEqual(3);
    expect(shown).toBeLessThanOrEqual(5);
    expect(comparison.runs.value.map(({ figures }) => figures?.figures[0]?.last[0])).toEqual([39, 37, 38]);
  });

  it('asks again for what nobody answered, and gives up in the end', async () => {
    using comparison = createComparison({ connection });
    comparison.compare(['c1/a/g']);
    await pass(60_000);
    expect(connection.asked).toHaveLength(5);
    expect(comparison.runs.value[0]!.settings).toBe('none');
  });

  it('lets go of everything when it is disposed of', async () => {
    const comparison = createComparison({ connection });
    comparison.compare(KEYS);
    comparison[Symbol.dispose]();
    await pass(60_000);
    expect([...connection.figures, ...connection.listened].every(({ isEnded }) => isEnded)).toBe(true);
    expect(connection.asked).toHaveLength(3);
  });
});
