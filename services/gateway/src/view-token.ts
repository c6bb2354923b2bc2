import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Key, ViewKey } from '@runlog/schema/keys';
import { compileGlob } from '@runlog/schema/run/run-glob';
import { z } from 'zod';

/** Every token begins with this, so that it is recognised wherever it turns up. No digit of a version may be reused. */
const PREFIX = 'rlt1.';

const claims = z.tuple([z.string(), z.string(), z.int()]);

/** What a token allows: to see the runs that the glob matches, as long as the key may see them, until a time. */
export interface ViewToken {
  readonly runs: string;
  readonly expiresAtMs: number;
}

/** Whether a secret that a client showed is a token, valid or not, and no key. */
export function isToken(secret: string): boolean {
  return secret.startsWith(PREFIX);
}

/** Whether every run that the glob matches is one that the key shows. The globs of the key are not combined. */
export function coversGlob(key: ViewKey, glob: string): boolean {
  // A star of the glob is a character here that only a star of the key can match.
  return key.runs.some((own) => compileGlob(own)(glob));
}

/**
 * Makes a token in the name of a key. It is signed with the digest that the key file holds, so every gateway with that
 * file accepts it, and none does once the key is revoked.
 */
export function makeToken(key: ViewKey, { runs, expiresAtMs }: ViewToken): string {
  const signed = PREFIX + Buffer.from(JSON.stringify([key.id, runs, expiresAtMs])).toString('base64url');
  return `${signed}.${signatureOf(key, signed).toString('base64url')}`;
}

/**
 * Returns what a token allows now, and the id of its key, or null if it allows nothing: forged, expired, or its key gone or
 * narrowed.
 */
export function readToken(
  token: string,
  by: { keyOf: (id: string) => Key | null; nowMs: number },
): (ViewToken & { readonly keyId: string }) | null {
  const signed = token.slice(0, token.lastIndexOf('.'));
  const [id, runs, expiresAtMs] = claimsOf(signed) ?? [];
  if (id === undefined || runs === undefined || expiresAtMs === undefined) return null;
  const key = by.keyOf(id);
  if (key?.role !== 'view') return null;
  const sent = Buffer.from(token.slice(signed.length + 1), 'base64url');
  const expected = signatureOf(key, signed);
  if (sent.length !== expected.length || !timingSafeEqual(sent, expected)) return null;
  return expiresAtMs > by.nowMs && coversGlob(key, runs) ? { runs, expiresAtMs, keyId: id } : null;
}

function claimsOf(signed: string): z.infer<typeof claims> | null {
  if (!isToken(signed)) return null;
  try {
    const text = Buffer.from(signed.slice(PREFIX.length), 'base64url').toString('utf8');
    return claims.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

function signatureOf(key: ViewKey, signed: string): Buffer {
  return createHmac('sha256', Buffer.from(key.sha256, 'hex')).update(signed).digest();
}
