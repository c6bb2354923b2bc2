import { eventNames } from '@runlog/schema/events/event-types';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { countText, figureText, NO_NUMBER, percentText, rateText, shareText } from '../text/numbers.ts';

/** One figure of the header. */
export interface HeaderFact {
  readonly name: string;
  /** What the name is short for. */
  readonly title: string;
  readonly value: string;
  /** What stands behind it, less loud: `/37`, ` ▲0.4`. */
  readonly note: string | null;
  readonly noteTone: 'good' | 'bad' | null;
  readonly tone: 'good' | 'bad' | 'warn' | null;
  /** How much is done, from 0 to 1; null where there is no end. */
  readonly part: number | null;
}

/** Above it too many updates of the policy are clipped: the original shows it yellow. */
const CLIP_SHARE_USUAL_MAX = 0.2;
/** Above it a policy moves further in one update than PPO is meant to let it. */
const KL_USUAL_MAX = 0.02;
/** Less would read as 0.0. */
const CHANGE_SHOWN_MIN = 0.05;

/** What stands in the header while the state is on its way: the same figures, none of them known. */
export function unknownFacts(run: DeliveredSnapshot): readonly HeaderFact[] {
  return factsOf(run, { perSecond: null }).map(({ name, title }) => plain(name, title, NO_NUMBER));
}

/** `perSecond` is null where it is not known. */
export function factsOf(
  run: DeliveredSnapshot,
  { perSecond }: { perSecond: number | null },
): readonly HeaderFact[] {
  const { entropy, clip_fraction: clip, kl_divergence: kl } = run.ppo;
  const ofAll = (max: number | null) => (max === null || max <= 0 ? null : `/${countText(max)}`);
  const missing = `${run.missing_is_exact ? '' : '≥ '}${countText(run.missing)}`;
  const rounds = run.milestones.filter(({ event_type: type }) => type === eventNames.BATCH_EPOCH_COMPLETED);
  const [before, last] = rounds.slice(-2);
  return [
    {
      ...plain('round', 'round of training', countText(run.current_batch)),
      note: ofAll(run.max_batches),
      part: partOf(run.current_batch, run.max_batches),
    },
    {
      ...plain('ep', 'episodes', countText(run.current_episode)),
      note: ofAll(numberIn((last ?? before)?.values.total_episodes)),
    },
    {
      ...plain('acc', 'average accuracy of the last round', percentText(run.batch_avg_accuracy)),
      ...changeOf(numberIn(before?.values.avg_accuracy), numberIn(last?.values.avg_accuracy)),
    },
    plain('rew', 'average reward of the last round', figureText(run.batch_avg_reward)),
    plain('ent', 'entropy of the policy', figureText(entropy)),
    {
      ...plain('clip', 'share of clipped updates; above 20 % is unusual', shareText(clip)),
      tone: clip !== null && clip > CLIP_SHARE_USUAL_MAX ? 'warn' : null,
    },
    {
      ...plain('kl', 'KL divergence of the last update; above 0.02 is unusual', figureText(kl)),
      tone: kl !== null && Math.abs(kl) > KL_USUAL_MAX ? 'warn' : null,
    },
    plain('germ', 'seeds germinated', countText(run.cumulative_germinated)),
    {
      ...plain('foss', 'seeds fossilised', countText(run.cumulative_fossilized)),
      tone: run.cumulative_fossilized > 0 ? 'good' : null,
    },
    {
      ...plain('prune', 'seeds pruned', countText(run.cumulative_pruned)),
      tone: run.cumulative_pruned > 0 ? 'bad' : null,
    },
    plain('ev', 'events received, repeats included', countText(run.total_events_received)),
    plain('ev/s', 'events a second', rateText(perSecond)),
    {
      ...plain('missing', 'numbers that emitters gave to events which have not arrived', missing),
      tone: run.missing > 0 ? 'warn' : null,
    },
    plain('dup', 'events that came more than once', countText(run.duplicates)),
  ];
}

function plain(name: string, title: string, value: string): HeaderFact {
  return { name, title, value, note: null, noteTone: null, tone: null, part: null };
}

function partOf(done: number, all: number | null): number | null {
  return all === null || all <= 0 ? null : Math.min(1, done / all);
}

function numberIn(value: string | number | boolean | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** By how much the last round differs from the one before, in points of percent. */
function changeOf(before: number | null, last: number | null): Pick<HeaderFact, 'note' | 'noteTone'> {
  const change = before === null || last === null ? 0 : last - before;
  if (Math.abs(change) < CHANGE_SHOWN_MIN) return { note: null, noteTone: null };
  const size = Math.abs(change).toFixed(1);
  return change > 0 ? { note: ` ▲${size}`, noteTone: 'good' } : { note: ` ▼${size}`, noteTone: 'bad' };
}
