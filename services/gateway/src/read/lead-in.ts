import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import type { EpisodesReached, ReachedPlace } from './episodes-reached.ts';
import type { PageReading } from './page-reading.ts';
import { type PastEvent, setEpisodes } from './past-event.ts';

/** So many records are read at once, going back, and doubled each time. */
const BACK_RECORDS = 1_000;
/** A place at most so far below is read from in any case. */
const NEAR_RECORDS = 5_000;

/**
 * Finds the run's episode before an event, or before the next one if there is none at that offset. The log is read from the
 * newest place below where the episode is known. If that is far, an event that sets the episode is looked for first, going
 * back. If neither is within what the page may read, the result is `further`: the place that was reached is kept, and the
 * same page goes on from there. The episode is null if the log does not say it.
 */
export async function leadIn(
  reading: PageReading,
  to: { run: RunSnapshot; seq: number; reached: EpisodesReached },
): Promise<{ episode: number | null } | 'further'> {
  const { run, seq, reached } = to;
  const known = reading.known.at(seq);
  if (known !== null) return { episode: known };
  const { start, wasReached } = placeBelow(reading, to);
  if (!wasReached && seq - start.seq > NEAR_RECORDS) {
    const episode = await goBack(reading, seq);
    if (episode !== null) {
      reached.add(run, { seq, episode });
      return { episode };
    }
  }
  reading.release();
  const place = await goOn(reading, { start, seq });
  reached.add(run, place);
  return place.seq >= seq ? { episode: place.episode } : 'further';
}

/** Returns the newest place at or below an offset from which the episode can be followed. */
function placeBelow(
  reading: PageReading,
  { run, seq, reached }: { run: RunSnapshot; seq: number; reached: EpisodesReached },
): { start: ReachedPlace; wasReached: boolean } {
  const { known, oldest } = reading;
  const place = known.below(seq);
  const start = place !== null && place.seq >= oldest ? place : { seq: oldest, episode: known.at(oldest) };
  const further = reached.below(run, seq);
  return further !== null && further.seq > start.seq
    ? { start: further, wasReached: true }
    : { start, wasReached: false };
}

/** Goes back to where the episode is known. Returns null if that is too far. */
async function goBack(reading: PageReading, seq: number): Promise<number | null> {
  const { known, oldest } = reading;
  let events: PastEvent[] = [];
  let to = seq;
  let records = BACK_RECORDS;
  while (to > oldest && !reading.isSpent) {
    const window = await reading.window({ to, records });
    if (window === null) return null;
    events = [...window.events, ...events];
    to = window.from;
    const episode = setEpisodes(events, { before: known.at(to), known });
    if (episode !== null) return episode;
    records = window.records * 2;
  }
  return null;
}

/** Follows the episode from a place, as far as the page may read, and at least a part of the way. */
async function goOn(
  reading: PageReading,
  { start, seq }: { start: ReachedPlace; seq: number },
): Promise<ReachedPlace> {
  let { seq: reached, episode } = start;
  for await (const { events, nextOffset } of reading.read({ from: reached, to: seq })) {
    episode = setEpisodes(events, { before: episode, known: reading.known });
    reached = nextOffset;
    if (reached < seq && reading.isSpent) break;
  }
  return { seq: reached, episode };
}
