import { runProofSchema } from '@runlog/schema/http/proof-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { epochCompleted, foldEvents } from '../../../test/support/event-factory.ts';
import { countsProofOf } from './proof.ts';

const numbered = (emitter_id: string, emitter_seq: number) =>
  epochCompleted({ event_id: `${emitter_id}-${emitter_seq}`, emitter_id, emitter_seq });

describe('the proof of a run', () => {
  it('says of each emitter which numbers are missing', () => {
    const state = foldEvents([numbered('a', 1), numbered('b', 3), numbered('a', 5), numbered('a', 5)]);
    expect(countsProofOf(state)).toMatchObject({
      position: state.position,
      ...{ emitted: 8, received: 4, duplicates: 1, missing: 5, missing_is_exact: true },
      emitters: [
        { emitter_id: 'a', last: 5, gaps: [[2, 4]], missing: 3, missing_is_exact: true },
        { emitter_id: 'b', last: 3, gaps: [[1, 2]], missing: 2, missing_is_exact: true },
      ],
    });
  });

  it('counts the numbers of forgotten gaps, and says where they are not known', () => {
    const odd = Array.from({ length: 31 }, (_, index) => numbered('a', index * 2 + 1));
    const state = foldEvents(odd);
    expect(state.emitters.a!.forgotten).toBeDefined();
    expect(countsProofOf(state).emitters).toMatchObject([{ missing: 30, missing_is_exact: true }]);
    state.emitters.a!.forgotten!.missing = null;
    expect(countsProofOf(state).emitters).toMatchObject([{ missing: 20, missing_is_exact: false }]);
  });

  it('adds up: what each emitter sent is what came and what is missing, for any delivery', () => {
    const delivery = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 60 }));
    fc.assert(
      fc.property(fc.array(delivery, { minLength: 1, maxLength: 200 }), (deliveries) => {
        const proof = countsProofOf(foldEvents(deliveries.map(([id, n]) => numbered(id, n))));
        const sum = (of: readonly number[]) => of.reduce((total, each) => total + each, 0);
        expect(proof.emitted).toBe(sum(proof.emitters.map(({ last }) => last)));
        expect(proof.missing).toBe(sum(proof.emitters.map(({ missing }) => missing)));
      }),
    );
  });

  it('says when an emitter was last seen, as exactly as the run knows', () => {
    const state = foldEvents([numbered('a', 1), numbered('b', 1)]);
    const second = (at: number) => `2026-01-04T00:00:0${at}.000Z`;
    const seenOf = (seq: number, landmarks: readonly [number, string][]) => {
      const run = {
        ...state,
        position: { epoch: 'e', seq: 50 },
        last_received_at: second(9),
        landmarks: landmarks.map(([at, receivedAt]): [number, number, string, number] => [
          ...([at, 1, receivedAt, 0] as const),
        ]),
        emitters: { a: { ...state.emitters.a!, seen: seq } },
      };
      return countsProofOf(run).emitters[0]!.seen;
    };
    const landmarks: [number, string][] = [
      [10, second(1)],
      [20, second(4)],
    ];
    expect(seenOf(50, landmarks)).toEqual({ seq: 50, after: second(9), before: second(9) });
    expect(seenOf(30, landmarks)).toEqual({ seq: 30, after: second(4), before: second(9) });
    expect(seenOf(20, landmarks)).toEqual({ seq: 20, after: second(4), before: second(4) });
    expect(seenOf(15, landmarks)).toEqual({ seq: 15, after: second(1), before: second(4) });
    expect(seenOf(5, landmarks)).toEqual({ seq: 5, after: null, before: second(1) });
    // Two ingests whose clocks differ.
    expect(seenOf(15, [landmarks[0]!, [20, second(0)]])).toMatchObject({
      after: second(0),
      before: second(1),
    });
  });

  it('has the form that is documented', () => {
    const { emitters, ...proof } = countsProofOf(foldEvents([numbered('a', 2)]));
    const rest = { watching: { connections: 0, keys: [] }, verified: null, unverified_because: 'not_asked' };
    expect(runProofSchema.safeParse({ ...proof, emitters, ...rest }).error).toBeUndefined();
  });
});
