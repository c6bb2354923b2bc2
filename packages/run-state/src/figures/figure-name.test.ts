import { FIGURE_NAME_BYTES_MAX, FIGURE_NAME_CHARS_MAX } from '@runlog/schema/limits';
import { jsonBytes } from '@runlog/schema/run/cut-text';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { figureName } from './figure-name.ts';

describe('the name of a figure', () => {
  it.each([
    ['loss'],
    [''],
    ['a'.repeat(64)],
    ['損'.repeat(64)],
    ['😀'.repeat(32)],
    ['__proto__'],
    ['tab\tand "quotes"'],
  ])('is kept if it is short: %j', (name) => {
    expect(figureName(name)).toBe(name);
  });

  it('is cut to 64 characters of which the last eight tell long names apart', () => {
    const name = 'layer.'.repeat(20);
    expect(figureName(name)).toBe(`${name.slice(0, 55)}…9w+MX8qg`);
    expect(figureName(`${name}weight`)).not.toBe(figureName(`${name}bias`));
  });

  it('is never cut inside a letter', () => {
    expect(figureName('😀'.repeat(40))).toMatch(/^(😀){27}…[A-Za-z0-9+/]{8}$/u);
    expect(figureName(`a${'😀'.repeat(40)}`)).toMatch(/^a(😀){27}…[A-Za-z0-9+/]{8}$/u);
  });

  it('fits and stays, whatever it is made of', () => {
    const text = fc.string({ unit: 'binary', maxLength: 200, size: 'max' });
    const control = fc.string({ unit: fc.constantFrom('\u0001', '"', '損', 'a', '\ud83d'), maxLength: 200 });
    fc.assert(
      fc.property(fc.oneof(text, control), (name) => {
        const given = figureName(name);
        expect(given.length).toBeLessThanOrEqual(FIGURE_NAME_CHARS_MAX);
        expect(jsonBytes(given)).toBeLessThanOrEqual(FIGURE_NAME_BYTES_MAX);
        expect(figureName(given)).toBe(given);
      }),
      { numRuns: 2_000 },
    );
  });
});
