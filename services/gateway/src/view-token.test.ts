import { keySchema, type ViewKey } from '@runlog/schema/keys';
import { TOKEN_CHARS_MAX } from '@runlog/schema/limits';
import { digestOf } from '@runlog/service-kit/keys';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coversGlob, makeToken, readToken } from './view-token.ts';

function viewKey(of: { id?: string; secret?: string; runs?: readonly string[] } = {}): ViewKey {
  const { id = 'ops', secret = 'secret', runs = ['c1/*'] } = of;
  return keySchema.parse({ id, sha256: digestOf(secret), role: 'view', runs }) as ViewKey;
}

const NOW_MS = Date.UTC(2026, 0, 4);
const later = { runs: 'c1/r1/*', expiresAtMs: NOW_MS + 1_000 };
const read = (token: string, key: ViewKey | null = viewKey(), nowMs = NOW_MS) =>
  readToken(token, { keyOf: (id) => (id === key?.id ? key : null), nowMs });

describe('a token', () => {
  it('allows what it was made for, and fits into a frame and an address whatever it names', () => {
    expect(read(makeToken(viewKey(), later))).toEqual({ ...later, keyId: 'ops' });
    const key = viewKey({ id: 'k'.repeat(64), runs: ['*'] });
    const token = makeToken(key, { ...later, runs: 'r'.repeat(200) });
    expect(token.length).toBeLessThanOrEqual(TOKEN_CHARS_MAX);
    expect(encodeURIComponent(token)).toBe(token);
    expect(read(token, key)).not.toBeNull();
  });

  it('allows nothing once it is over, or its key is gone, replaced or narrowed', () => {
    const token = makeToken(viewKey(), later);
    expect(read(token, viewKey(), later.expiresAtMs - 1)).not.toBeNull();
    expect(read(token, viewKey(), later.expiresAtMs)).toBeNull();
    expect(read(token, null)).toBeNull();
    expect(read(token, viewKey({ secret: 'another' }))).toBeNull();
    expect(read(token, viewKey({ runs: ['c1/r2/*'] }))).toBeNull();
    expect(read(token, viewKey({ runs: ['c2/*', 'c1/r1/*'] }))).toMatchObject(later);
  });

  it('is refused with any character changed, added or left out', () => {
    const token = makeToken(viewKey(), later);
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom('', 'A', 'B', '.', '!'), (at, by) => {
        const forged = token.slice(0, at) + by + token.slice(at + 1);
        // The last character of base64 has bits that mean nothing.
        fc.pre(forged !== token && at < token.length - 1);
        expect(read(forged)).toBeNull();
      }),
    );
    for (const text of ['', 'rlt1.', 'rlt1..', 'rlt1.bm8.bm8', '.', `${token}.`, `x${token}`]) {
      expect(read(text)).toBeNull();
    }
  });
});

describe('the globs that a key covers', () => {
  it.each([
    [['c1/*'], 'c1/*', true],
    [['c1/*'], 'c1/r*/default', true],
    [['c1/*'], 'c1/r1/default', true],
    [['c1/*'], 'c1*', false],
    [['c1/*'], '*', false],
    [['c1/r*', 'c2/*'], 'c1/*', false],
    [['*'], '*', true],
    [['c1/r1/default'], 'c1/r1/default', true],
    [['c1/r1/default'], 'c1/*/default', false],
    [['*/default'], 'c1/*/default', true],
  ])('%j, %s: %s', (runs, glob, expected) => {
    expect(coversGlob(viewKey({ runs }), glob)).toBe(expected);
  });

  it('are whatever its stars can stand for, and so is every run that they match', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 3 });
    // The run is made of the second glob, and that of the first: each star stands for anything, stars too.
    const filling = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 3 }), {
      minLength: 4,
      maxLength: 4,
    });
    const filled = (glob: string, by: readonly string[]) => {
      const parts = glob.split('*');
      return parts.map((text, at) => (at === 0 ? text : by[at % by.length]! + text)).join('');
    };
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 2, maxLength: 4 }),
        filling,
        filling,
        (parts, first, second) => {
          const own = parts.join('*');
          const asked = filled(own, first);
          const run = filled(asked, second).replaceAll('*', 'a');
          expect(coversGlob(viewKey({ runs: [own] }), asked)).toBe(true);
          expect(coversGlob(viewKey({ runs: [own] }), run)).toBe(true);
        },
      ),
    );
  });
});
