import { eventTypes, isMilestone } from '@runlog/schema/events/event-types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  batchCompleted,
  epochCompleted,
  otherEvent,
  recordOf,
  seedFossilized,
  trainingStarted,
} from '../../../test/support/event-factory.ts';
import { eventTypeCases } from '../../../test/support/event-type-cases.ts';
import { foldInto } from './evolve.ts';
import { KnownEpisodes } from './known-episodes.ts';
import { episodeSetBy } from './past-entry.ts';
import { RunDraft } from './run-draft.ts';

const kinds = [
  () => epochCompleted(),
  () => otherEvent('RUN_HEARTBEAT'),
  () => seedFossilized(),
  (n: number) => batchCompleted({ data: { episodes_completed: n } }),
  (n: number) => trainingStarted({ data: { start_episode: n } }),
];

describe('the episodes that a snapshot knows', () => {
  it('are those of the entries that went out live', () => {
    // Most events leave the episode alone, so that long runs of both kinds come up.
    const event = fc.tuple(fc.oneof({ weight: 9, arbitrary: fc.nat(2) }, fc.nat(4)), fc.nat(50), fc.nat(3));
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 2_000, size: 'max' }), (events) => {
        const draft = new RunDraft(null);
        const episodes = new Map<number, number>();
        let seq = 7;
        for (const [kind, n, others] of events) {
          episodes.set(seq, draft.state?.current_episode ?? 0);
          foldInto(draft, recordOf(kinds[kind]!(n), { seq }));
          // Other runs have records in between.
          seq += 1 + others;
        }
        const state = draft.state!;
        const known = new KnownEpisodes(state);
        for (const [at, episode] of episodes) {
          expect(known.at(at) ?? episode).toBe(episode);
          expect(known.below(at)!.seq).toBeLessThanOrEqual(at);
        }
        for (const [at, , , episode] of state.landmarks) expect(known.at(at)).toBe(episode);
        for (const entry of state.event_log) expect(known.at(entry.seq)).toBe(entry.episode);
        expect(known.at(state.position.seq + 1)).toBe(state.current_episode);
        expect(known.below(state.first_seq - 1)).toBeNull();
      }),
      { numRuns: 30 },
    );
  });

  it.each(Object.keys(eventTypes))(
    'lose nothing to an event of type %s, unless it is kept as a milestone',
    (type) => {
      for (const { event } of eventTypeCases(type)) {
        const record = recordOf(otherEvent(type, { ...event, data: event.data ?? {} } as never), { seq: 0 });
        if (episodeSetBy(record) !== null) expect(isMilestone(type)).toBe(true);
      }
    },
  );
});
