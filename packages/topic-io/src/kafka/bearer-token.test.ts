import { describe, expect, it } from 'vitest';
import { BearerTokens, expiryOf, tokenIn } from './bearer-token.ts';

function tokens(fetch: () => Promise<{ token: string; expiresAtMs: number | null }>) {
  let nowMs = 0;
  const said: string[] = [];
  const warn = (_fields: object, message: string) => void said.push(message);
  const logger = { debug: warn, info: warn, warn, error: warn };
  const held = new BearerTokens({ fetch, now: () => nowMs, logger });
  return { held, said, at: (ms: number) => (nowMs = ms) };
}

describe('a token for all connections', () => {
  it('is fetched once, and again after seven tenths of its life', async () => {
    let fetched = 0;
    const { held, at } = tokens(async () => ({ token: `t${++fetched}`, expiresAtMs: fetched * 1_000 }));
    expect(await Promise.all([held.get(), held.get()])).toEqual(['t1', 't1']);
    at(699);
    expect(await held.get()).toBe('t1');
    at(701);
    expect(await held.get()).toBe('t2');
  });

  it('is used until it expires while no other can be had, which is said once', async () => {
    let isBroken = false;
    const { held, said, at } = tokens(async () => {
      if (isBroken) throw new Error('the endpoint is down');
      return { token: 't', expiresAtMs: 1_000 };
    });
    await held.get();
    isBroken = true;
    at(800);
    expect([await held.get(), await held.get()]).toEqual(['t', 't']);
    expect(said).toHaveLength(1);
    at(1_000);
    await expect(held.get()).rejects.toThrow('the endpoint is down');
  });

  it('is fetched anew when a broker refused it, unless it is new', async () => {
    let fetched = 0;
    const { held, at } = tokens(async () => ({ token: `t${++fetched}`, expiresAtMs: null }));
    await held.get();
    held.refused();
    expect(await held.get()).toBe('t1');
    at(10_000);
    held.refused();
    expect(await held.get()).toBe('t2');
  });
});

it('a token in a file is the text without the spaces around it, and nothing else is one', () => {
  expect(tokenIn(' a.b-c_d=\n')).toBe('a.b-c_d=');
  for (const text of ['', 'two words', 'a\x01b'])
    expect(() => tokenIn(text)).toThrow('does not hold a token');
});

it('a JSON Web Token says when it expires, and another token does not', () => {
  const payload = Buffer.from(JSON.stringify({ exp: 12 })).toString('base64url');
  expect(expiryOf(`h.${payload}.s`)).toBe(12_000);
  expect(expiryOf('opaque')).toBeNull();
});
