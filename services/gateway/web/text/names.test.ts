import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutMiddle, nameParts, tellApart } from './names.ts';

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);

describe('a name that is too long', () => {
  it.each([
    ['short', 12, 'short'],
    ['sim-261127-0710-7-002', 12, 'sim-2…-7-002'],
    ['exactly-twelve'.slice(0, 12), 12, 'exactly-twel'],
    ['abcdef', 2, '…f'],
    ['abcdef', 1, '…'],
  ])('%s in %d characters is %s', (whole, charsMax, text) => {
    expect(cutMiddle(whole, charsMax)).toBe(text);
  });

  it('keeps the part that tells it from those around it', () => {
    const others = ['train-resnet50-imagenet-lr0.001-seed7', 'train-resnet50-imagenet-lr0.010-seed7'];
    expect(nameParts(others[0]!, others)).toEqual({
      head: 'train-resnet50-imagenet-lr0.0',
      tail: '01-seed7',
    });
    expect(nameParts('sim-261127-0710-7-002')).toEqual({ head: 'sim-261127-0710', tail: '-7-002' });
    expect(nameParts('abc')).toEqual({ head: '', tail: 'abc' });
  });

  it('loses nothing to its parts', () => {
    fc.assert(
      fc.property(name, fc.array(name), (whole, others) => {
        const { head, tail } = nameParts(whole, others);
        expect(head + tail).toBe(whole);
        expect(tail.length).toBeLessThanOrEqual(16);
      }),
    );
  });
});

describe('names side by side', () => {
  it('that differ only in their middle show it', () => {
    const names = ['experiment-lr0.001-of-the-big-model', 'experiment-lr0.010-of-the-big-model'];
    expect([...tellApart(names, 16).values()]).toEqual(['…001-of-the-big…', '…010-of-the-big…']);
  });

  it('never read the same, and are cut only where they must be', () => {
    const alike = fc
      .tuple(fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 40 }), fc.array(name, { maxLength: 8 }))
      .map(([prefix, ends]) => ends.map((end) => (prefix + end).slice(0, 64)));
    fc.assert(
      fc.property(
        fc.oneof(alike, fc.array(name, { maxLength: 20 })),
        fc.integer({ min: 8, max: 40 }),
        (names, charsMax) => {
          const distinct = new Set(names);
          const shown = tellApart(names, charsMax);
          expect(new Set(shown.values()).size).toBe(distinct.size);
          for (const each of distinct) if (each.length <= charsMax) expect(shown.get(each)).toBe(each);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
