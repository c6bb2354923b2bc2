import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import type { EpisodesReached, ReachedPlace } from './episodes-reached.ts';
import type { PageReading } from './page-reading.ts';
import { type PastEvent, setEpisodes } from './past-event.ts';

/** Going back begins with about so many events of the run, and doubles that each time. */
const BACK_EVENTS = 16;

/**
 * Finds the run's episode before an event, or before the next one if there is none at that offset. An event that
 * sets the episode is looked for first, going back as far as the newest place below where it is known. If neither is within
 * what the page may read, the log is read on from that place, and the result is `further`: the place that was reached is
 * kept, and the same page goes on from there. Without `mayGoOn` it is not read on. The episode is null if the log does not
 * say it.
 */
export async function leadIn(
  reading: PageReading,
  to: { run: RunSnapshot; seq: number; reached: EpisodesReached; mayGoOn: boolean },
): Promise<{ episode: number | null } | 'further'> {
  const { run, seq, reached, mayGoOn } = to;
  const known = reading.known.at(seq);
  if (known !== null) return { episode: known };
  const start = placeBelow(reading, to);
  if (start.sought !== seq) {
    const episode = await goBack(reading, { start, seq });
    if (episode !== null) {
      reached.add(run, { seq, episode, sought: null });
      return { episode };
    }
  }
  if (!mayGoOn) return 'further';
  reading.release();
  const place = await goOn(reading, { start, seq });
  reached.add(run, place);
  return place.seq >= seq ? { episode: place.episode } : 'further';
}

/** Returns the newest place at or below an offset from which the episode can be followed. */
function placeBelow(
  reading: PageReading,
  { run, seq, reached }: { run: RunSnapshot; seq: number; reached: EpisodesReached },
): ReachedPlace {
  const { known, oldest } = reading;
  const place = known.below(seq);
  const start = place !== null && place.seq >= oldest ? place : { seq: oldest, episode: known.at(oldest) };
  const further = reached.below(run, seq);
  return further !== null && further.seq > start.seq ? further : { ...start, sought: null };
}

/** Goes back to where the episode is known. Returns null if that is too far. */
async function goBack(
  reading: PageReading,
  { start, seq }: { start: ReachedPlace; seq: number },
): Promise<number | null> {
  const { known } = reading;
  let events: PastEvent[] = [];
  let to = seq;
  let records = reading.recordsHolding(BACK_EVENTS, { before: seq });
  while (to > start.seq && !reading.isSpent) {
    const window = await reading.window({ to, records: Math.min(records, to - start.seq) });
    if (window === null) return null;
    events = [...window.events, ...events];
    to = window.from;
    const before = to === start.seq ? start.episode : known.at(to);
    const episode = setEpisodes(events, { before, known });
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
  return { seq: reached, episode, sought: seq };
}
