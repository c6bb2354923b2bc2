import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { listedText, listOf } from './query-values.ts';

describe('a list of texts', () => {
  const names = listOf(listedText({ charsMax: 8 }), { max: 4 });
  const documented = z.toJSONSchema(listedText({ charsMax: 8 })) as { pattern: string; minLength: number };

  it('takes every item that the documents allow, whether commas or parameters separate them', () => {
    const item = fc
      .string({ minLength: documented.minLength, maxLength: 8, unit: fc.constantFrom('a', ',', ' ', 'é') })
      .filter((text) => new RegExp(documented.pattern, 'u').test(text));
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 4 }), (items) => {
        expect(names.parse(items)).toEqual(items);
        expect(names.parse(items.join(','))).toEqual(items);
      }),
    );
  });

  it.each(['', 'a,', ',a', 'a,,b'])('refuses %j, which has an item without text', (text) => {
    expect(names.safeParse(text).success).toBe(false);
  });
});
