import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';

/** The places that are kept. Who pages through a run comes back to the newest one at once. */
const PLACES_MAX = 1_000;

/** Where pages ended, and the run's episode there, so that the next page need not find it again. */
export class EpisodesReached {
  readonly #episodes = new Map<string, number>();

  /** Returns the run's episode before the event at `seq`, or null if no page ended there. */
  at(run: RunSnapshot, seq: number): number | null {
    return this.#episodes.get(placeOf(run, seq)) ?? null;
  }

  add(run: RunSnapshot, place: { seq: number; episode: number }): void {
    const key = placeOf(run, place.seq);
    this.#episodes.delete(key);
    this.#episodes.set(key, place.episode);
    if (this.#episodes.size > PLACES_MAX) this.#episodes.delete(this.#episodes.keys().next().value!);
  }
}

/** A run that began anew is another one, although it has the same key. */
function placeOf(run: RunSnapshot, seq: number): string {
  return `${formatRunKey(run)} ${run.first_seq} ${seq}`;
}
