import { z } from 'zod';
import { messageOf } from '../error-message.ts';
import type { Logger } from '../logger.ts';
import { parseJson } from '../parse-json.ts';

const claims = z.object({ exp: z.number().positive() });

export interface BearerToken {
  readonly token: string;
  /** Null if it does not say when it expires. */
  readonly expiresAtMs: number | null;
}

/** The characters of a token (RFC 6750, 2.1). Any other would end the token within the message to the broker. */
export const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

interface HeldToken {
  readonly token: string;
  readonly fetchedAtMs: number;
  readonly renewAtMs: number;
  readonly expiresAtMs: number;
}

/** A token is used for this part of its life. A session is renewed after a larger part, and so with a newer token. */
const LIFE_USED = 0.7;
/** How long a token is used that does not say when it expires. */
const UNKNOWN_LIFE_MS = 60_000;
/** A token that is younger is not fetched anew when a broker refuses it: another one would be no better. */
const REFUSED_AGE_MIN_MS = 10_000;

/**
 * One token for all connections, fetched ahead of its expiry when a connection needs it. While none can be fetched, the
 * former one is used until it expires.
 */
export class BearerTokens {
  readonly #fetch: () => Promise<BearerToken>;
  readonly #now: () => number;
  readonly #logger: Logger;
  #held: HeldToken | null = null;
  #fetching: Promise<string> | null = null;
  #isFailureSaid = false;

  constructor(use: { fetch: () => Promise<BearerToken>; now: () => number; logger: Logger }) {
    this.#fetch = use.fetch;
    this.#now = use.now;
    this.#logger = use.logger;
  }

  get(): Promise<string> {
    const held = this.#held;
    if (held !== null && this.#now() < held.renewAtMs) return Promise.resolve(held.token);
    this.#fetching ??= this.#renew().finally(() => {
      this.#fetching = null;
    });
    return this.#fetching;
  }

  /** Is called when a broker did not accept the token. It may have been revoked, so the next use fetches another. */
  refused(): void {
    const held = this.#held;
    const nowMs = this.#now();
    if (held === null || nowMs - held.fetchedAtMs < REFUSED_AGE_MIN_MS) return;
    this.#held = { ...held, renewAtMs: nowMs };
  }

  async #renew(): Promise<string> {
    try {
      const { token, expiresAtMs } = await this.#fetch();
      const nowMs = this.#now();
      const lifeMs = expiresAtMs === null ? UNKNOWN_LIFE_MS : Math.max(expiresAtMs - nowMs, 0);
      this.#held = {
        token,
        fetchedAtMs: nowMs,
        renewAtMs: nowMs + lifeMs * LIFE_USED,
        expiresAtMs: nowMs + lifeMs,
      };
      this.#isFailureSaid = false;
      return token;
    } catch (error) {
      const held = this.#held;
      if (held === null || this.#now() >= held.expiresAtMs) throw error;
      this.#sayFailure(error, held.expiresAtMs);
      return held.token;
    }
  }

  #sayFailure(error: unknown, expiresAtMs: number): void {
    if (this.#isFailureSaid) return;
    this.#isFailureSaid = true;
    this.#logger.warn(
      { reason: messageOf(error), expiresAt: new Date(expiresAtMs).toISOString() },
      'no new token for Kafka can be had; the former one is used until it expires',
    );
  }
}

/** Returns the token in the text of a file. Throws if it is none. */
export function tokenIn(text: string): string {
  const token = text.trim();
  if (!TOKEN.test(token)) throw new Error('the file does not hold a token');
  return token;
}

/** Returns when a token says that it expires, if it is a JSON Web Token. Only the broker checks whether that is true. */
export function expiryOf(token: string): number | null {
  const [, payload = ''] = token.split('.');
  const read = claims.safeParse(parseJson(Buffer.from(payload, 'base64url').toString('utf8')));
  return read.success ? read.data.exp * 1_000 : null;
}
