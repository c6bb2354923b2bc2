import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutMiddle, nameParts, tellApart } from './names.ts';

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);

/** What stays of a name in any case. */
const keptText = (name: string, others: readonly string[]) =>
  nameParts(name, others)
    .map(({ text, isKept }) => (isKept ? text : '…'))
    .join('');

/** Whether a name that was cut can be that one. */
const canBe = (text: string, name: string) =>
  new RegExp(`^${text.replaceAll('.', '\\.').replaceAll('…', '.*')}$`).test(name);

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

  it.each([
    ['train-resnet50-imagenet-lr0.001-seed7', ['train-resnet50-imagenet-lr0.010-seed7'], '…lr0.001-seed7'],
    ['resnet-lr0.001-bs64-seed-0001', ['resnet-lr0.010-bs64-seed-0001'], '…lr0.001…d-0001'],
    [
      'resnet-lr0.001-bs64-seed-0001',
      ['resnet-lr0.010-bs64-seed-0001', 'vit-lr0.001-bs64-seed-0001'],
      'resnet-lr0.001…d-0001',
    ],
    ['resnet-seed-0001', ['seed-0001'], 'resnet…d-0001'],
    ['seed-0001', ['resnet-seed-0001'], 'seed-0001'],
    ['sim-261127-0710-7-002', [], '…-7-002'],
    ['abc', ['abd'], 'abc'],
    ['default', [], 'default'],
  ])('%s beside %j keeps %s', (name, others, kept) => {
    expect(keptText(name, others)).toBe(kept);
  });

  it('is told from those around it, in whatever order they stand', () => {
    const settings = '-imagenet1k-lr0.0010-bs256-augmix-cosine-300ep-seed-000';
    const names = [
      `resnet50${settings}1`,
      `resnet50${settings}2`,
      `resnet50${settings.replace('0010', '0003')}1`,
      `vit-b-16${settings}1`,
    ];
    const orders = fc.shuffledSubarray(names, { minLength: names.length });
    fc.assert(
      fc.property(orders, (others) => {
        for (const name of others) {
          const text = keptText(name, others);
          expect(names.filter((other) => canBe(text, other))).toEqual([name]);
        }
      }),
    );
  });

  it('loses nothing to its parts', () => {
    fc.assert(
      fc.property(name, fc.array(name), (whole, others) => {
        const parts = nameParts(whole, others);
        expect(parts.map(({ text }) => text).join('')).toBe(whole);
        const kept = parts.filter(({ isKept }) => isKept).map(({ text }) => text.length);
        expect(kept.reduce((sum, chars) => sum + chars, 0)).toBeLessThanOrEqual(22 + 3);
      }),
    );
  });
});

describe('names side by side', () => {
  it('that differ only in their middle show it', () => {
    const names = ['experiment-lr0.001-of-the-big-model', 'experiment-lr0.010-of-the-big-model'];
    expect([...tellApart(names, 16).values()]).toEqual(['e…lr0.001…-model', 'e…lr0.010…-model']);
  });

  it('of a sweep over several settings read like no other', () => {
    const names = ['lr0.0010', 'lr0.0003'].flatMap((lr) =>
      ['bs128', 'bs256'].flatMap((bs) =>
        ['seed-0001', 'seed-0002'].map(
          (seed) => `resnet50-imagenet1k-${lr}-${bs}-augmix-cosine-300ep-${seed}`,
        ),
      ),
    );
    for (const [name, text] of tellApart(names, 28)) {
      expect(text.length).toBeLessThanOrEqual(28);
      expect(names.filter((other) => canBe(text, other))).toEqual([name]);
    }
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
