import { describe, expect, it } from 'vitest';
import { storedFigures, storeFigures } from './chosen-figures.ts';

function memoryStore(held: Record<string, string> = {}) {
  return {
    getItem: (name: string) => held[name] ?? null,
    setItem: (name: string, value: string) => {
      held[name] = value;
    },
    removeItem: (name: string) => {
      delete held[name];
    },
  };
}

describe('the chosen figures', () => {
  it('are remembered, and forgotten when the usual ones are wanted', () => {
    const store = memoryStore();
    expect(storedFigures(store)).toBeNull();
    storeFigures(store, ['loss', 'events/s']);
    expect(storedFigures(store)).toEqual(['loss', 'events/s']);
    storeFigures(store, null);
    expect(storedFigures(store)).toBeNull();
  });

  it.each(['{', '"loss"', '{"a":1}'])('are nobody’s where %s is stored', (stored) => {
    expect(storedFigures(memoryStore({ 'runlog.figures': stored }))).toBeNull();
  });

  it('survive a browser that keeps nothing', () => {
    const full = {
      ...memoryStore(),
      setItem: () => {
        throw new Error('quota');
      },
    };
    expect(() => storeFigures(full, ['loss'])).not.toThrow();
    expect(storedFigures(null)).toBeNull();
  });
});
