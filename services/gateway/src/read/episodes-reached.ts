import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';

/** The places that are kept. Who pages through a run comes back to the newest ones at once. */
const PLACES_MAX = 1_000;

/** A place up to which the log was read from one where the episode was known. */
export interface ReachedPlace {
  readonly seq: number;
  /** The run's episode before it. Null if the log no longer says it, however far back it is read. */
  readonly episode: number | null;
  /** Where the reading was on its way to when it ended here; null if nothing was sought. */
  readonly sought: number | null;
}

/** Where the reading of pages ended, so that the next page need not find the episode again. */
export class EpisodesReached {
  /** The newest is the last one. */
  readonly #places: (ReachedPlace & { readonly run: string })[] = [];

  add(run: RunSnapshot, place: ReachedPlace): void {
    this.#places.push({ run: nameOf(run), ...place });
    if (this.#places.length > PLACES_MAX) this.#places.shift();
  }

  /** Returns the newest place of the run at or below an offset, or null if there is none. */
  below(run: RunSnapshot, seq: number): ReachedPlace | null {
    const name = nameOf(run);
    let nearest: ReachedPlace | null = null;
    for (const place of this.#places) {
      if (place.run === name && place.seq <= seq && place.seq >= (nearest?.seq ?? 0)) nearest = place;
    }
    return nearest;
  }
}

/** A run that began anew is another one, although it has the same key. */
function nameOf(run: RunSnapshot): string {
  return `${formatRunKey(run)} ${run.first_seq}`;
}
