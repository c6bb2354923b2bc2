import type { Unverified, Verification } from '@runlog/schema/http/proof-api';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';

const RUNS_MAX = 1_000;

/** The newest verification of a run, or why there is none. */
export type Verified =
  | { readonly verified: Verification; readonly unverified_because: null }
  | { readonly verified: null; readonly unverified_because: Unverified };

const notAsked: Verified = { verified: null, unverified_because: 'not_asked' };

/** The newest verification of each run, in memory. Those of the 1,000 runs that were verified last are kept. */
export class Verifications {
  /** The newest is the last one. */
  readonly #byRun = new Map<string, { life: string; verified: Verified }>();

  of(run: RunSnapshot): Verified {
    const held = this.#byRun.get(formatRunKey(run));
    return held !== undefined && held.life === lifeOf(run) ? held.verified : notAsked;
  }

  set(run: RunSnapshot, verified: Verified): void {
    const key = formatRunKey(run);
    this.#byRun.delete(key);
    this.#byRun.set(key, { life: lifeOf(run), verified });
    for (const oldest of this.#byRun.keys()) {
      if (this.#byRun.size <= RUNS_MAX) return;
      this.#byRun.delete(oldest);
    }
  }
}

/** A run that began anew, or was rebuilt into another epoch, is another one. */
function lifeOf({ position, first_seq }: RunSnapshot): string {
  return `${position.epoch} ${first_seq}`;
}
