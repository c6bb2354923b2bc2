import fc from 'fast-check';
import { expect, it } from 'vitest';
import { seenText } from './seen-texts.ts';

it('is the text that the bytes say, however often they and others come', () => {
  const text = fc.oneof(
    fc.constantFrom('loss', 'löss', 'lÃ¶ss', 'grad_norm', ''),
    fc.string({ unit: 'grapheme', maxLength: 40 }),
  );
  const bytes = fc.oneof(
    text.map((each) => Buffer.from(each)),
    fc.uint8Array({ maxLength: 40 }).map((each) => Buffer.from(each)),
  );
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 20 }), fc.nat(5), (all, before) => {
      for (const each of [...all, ...all]) {
        const body = Buffer.concat([Buffer.alloc(before, 'x'), each, Buffer.from('behind')]);
        expect(seenText(body, before, before + each.length)).toBe(each.toString('utf8'));
      }
    }),
  );
});
