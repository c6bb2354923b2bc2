import { judgeReads } from './judge-reads.ts';
import { judgeStates } from './judge-states.ts';
import { judgeStored } from './judge-stored.ts';
import { judgeViews } from './judge-views.ts';
import { judgeWrites } from './judge-writes.ts';
import { END, type Observation } from './observation.ts';
import { TopicTruth } from './topic-truth.ts';
import type { Violation } from './violation.ts';

/**
 * Judges a history after the fact. It shares no code with the system: it compares what was seen from outside with one
 * reading of the events topic that was made when everything was over. An empty list means that nothing in the history
 * contradicts it. Throws if the history holds no such reading, because then nothing can be judged.
 */
export function checkHistory(history: readonly Observation[]): Violation[] {
  const of = <Kind extends Observation['kind']>(...kinds: Kind[]) =>
    history.filter((one): one is Extract<Observation, { kind: Kind }> =>
      (kinds as string[]).includes(one.kind),
    );
  const reads = of('read');
  if (!reads.some(({ by }) => by === END)) throw new Error(`the history holds no reading by '${END}'`);
  const truth = new TopicTruth(reads);
  const unordered = new Set(of('planned').flatMap((plan) => plan.unordered));
  return [
    ...judgeWrites({ sent: of('sent'), acknowledged: of('acknowledged'), unordered }, truth),
    ...judgeReads(reads, truth),
    ...judgeStored(of('stored', 'checkpoint'), truth),
    ...judgeViews(of('shown', 'skipped', 'restarted', 'settled'), truth),
    ...judgeStates(of('state', 'restarted'), truth),
  ];
}
