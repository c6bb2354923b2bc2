import { MILESTONES_MAX } from '@runlog/schema/limits';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';

/** Every event of the run from one offset to another, both included, has this episode before it. */
interface KnownRange {
  readonly from: number;
  readonly to: number;
  readonly episode: number;
}

/** The episodes of a run that its snapshot knows, so that an event in the middle of the log need not be folded up to. */
export class KnownEpisodes {
  /** In order, and none overlaps another. */
  readonly #ranges: readonly KnownRange[];

  constructor(state: Pick<RunSnapshot, 'first_seq' | 'landmarks' | 'milestones' | 'current_episode'>) {
    this.#ranges = [...beforeMilestones(state), ...fromMilestones(state)];
  }

  /** Returns the run's episode before the event at `seq`, or null if the snapshot does not know it. */
  at(seq: number): number | null {
    const range = this.#below(seq);
    return range !== null && seq <= range.to ? range.episode : null;
  }

  /** Returns the newest offset at or below `seq` at which the episode is known, and the episode there. */
  below(seq: number): { seq: number; episode: number } | null {
    const range = this.#below(seq);
    return range === null ? null : { seq: Math.min(seq, range.to), episode: range.episode };
  }

  #below(seq: number): KnownRange | null {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ranges[middle]!.from <= seq) low = middle + 1;
      else high = middle;
    }
    return this.#ranges[low - 1] ?? null;
  }
}

type Knowing = ConstructorParameters<typeof KnownEpisodes>[0];

/** The beginning of the run and its landmarks, as far as the milestones do not say more. */
function beforeMilestones({ first_seq, landmarks, milestones }: Knowing): KnownRange[] {
  const known: KnownRange[] = [];
  if (milestones.length < MILESTONES_MAX) return known;
  const oldest = milestones[0]!.seq;
  if (landmarks[0]?.[0] !== first_seq) known.push({ from: first_seq, to: first_seq, episode: 0 });
  for (const [seq, , , episode] of landmarks) known.push({ from: seq, to: seq, episode });
  return known.filter(({ from }) => from < oldest);
}

/**
 * Only events that are kept as milestones change the episode. So it stays the same from behind one milestone to the next
 * one. If no milestone was pushed out, this holds from the run's beginning on.
 */
function fromMilestones({ first_seq, milestones, current_episode }: Knowing): KnownRange[] {
  const known: KnownRange[] = [];
  let from = milestones.length < MILESTONES_MAX ? first_seq : milestones[0]!.seq;
  for (const { seq, episode } of milestones) {
    known.push({ from, to: seq, episode });
    from = seq + 1;
  }
  known.push({ from, to: Number.POSITIVE_INFINITY, episode: current_episode });
  return known;
}
