import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { describe, expect, it } from 'vitest';
import { factsOf, unknownFacts } from './run-facts.ts';

const round = (accuracy: number, total = 148) => ({
  event_type: 'BATCH_EPOCH_COMPLETED',
  values: { avg_accuracy: accuracy, total_episodes: total },
});

function snapshotOf(overrides: Readonly<Record<string, unknown>> = {}): DeliveredSnapshot {
  return {
    ...{ current_batch: 31, max_batches: 37, current_episode: 124 },
    ...{ batch_avg_accuracy: 83.1, batch_avg_reward: 0.03 },
    ppo: { entropy: 0.92, clip_fraction: 0.15, kl_divergence: 0.012 },
    ...{ cumulative_germinated: 38, cumulative_fossilized: 17, cumulative_pruned: 16 },
    ...{ total_events_received: 1_102, missing: 0, missing_is_exact: true, duplicates: 25 },
    milestones: [],
    ...overrides,
  } as unknown as DeliveredSnapshot;
}

const fact = (
  name: string,
  overrides: Readonly<Record<string, unknown>> = {},
  perSecond: number | null = 11.5,
) => factsOf(snapshotOf(overrides), { perSecond }).find((each) => each.name === name)!;

describe('the figures of the header', () => {
  it('say how much is done', () => {
    expect(fact('round')).toMatchObject({ value: '31', note: '/37', part: 31 / 37 });
    expect(fact('round', { max_batches: null })).toMatchObject({ value: '31', note: null, part: null });
    expect(fact('round', { max_batches: 10 }).part).toBe(1);
    expect(fact('ep', { milestones: [round(80)] })).toMatchObject({ value: '124', note: '/148' });
    expect(fact('ep').note).toBeNull();
  });

  it.each([
    [[82.7, 83.1], ' ▲0.4', 'good'],
    [[70, 83.1, 82], ' ▼1.1', 'bad'],
    [[83.1, 83.12], null, null],
    [[83.1], null, null],
    [[], null, null],
  ])('say by how much the accuracy of rounds %j changed', (accuracies, note, noteTone) => {
    const milestones = accuracies.map((accuracy) => round(accuracy));
    expect(fact('acc', { milestones })).toMatchObject({ value: '83.1%', note, noteTone });
  });

  it.each([
    ['clip', { clip_fraction: 0.2 }, '20%', null],
    ['clip', { clip_fraction: 0.23 }, '23%', 'warn'],
    ['clip', { clip_fraction: null }, '–', null],
    ['kl', { kl_divergence: 0.012 }, '0.012', null],
    ['kl', { kl_divergence: 0.031 }, '0.031', 'warn'],
    ['kl', { kl_divergence: null }, '–', null],
    ['ent', { entropy: null }, '–', null],
  ])('%s of %j is %s, and in its tone %s', (name, ppo, value, tone) => {
    const usual = { entropy: 0.92, clip_fraction: 0.15, kl_divergence: 0.012 };
    expect(fact(name, { ppo: { ...usual, ...ppo } })).toMatchObject({ value, tone });
  });

  it('say what is missing, and whether that is all', () => {
    expect(fact('missing')).toMatchObject({ value: '0', tone: null });
    expect(fact('missing', { missing: 37 })).toMatchObject({ value: '37', tone: 'warn' });
    expect(fact('missing', { missing: 37, missing_is_exact: false }).value).toBe('≥ 37');
  });

  it('do not guess a rate that is not known', () => {
    expect(fact('ev/s', {}, 11.53).value).toBe('11.5');
    expect(fact('ev/s', {}, null).value).toBe('–');
  });

  it('are the same ones while nothing is known', () => {
    const known = factsOf(snapshotOf(), { perSecond: 1 });
    const unknown = unknownFacts(snapshotOf());
    expect(unknown.map(({ name }) => name)).toEqual(known.map(({ name }) => name));
    expect(new Set(unknown.map(({ value, note, part }) => `${value} ${note} ${part}`))).toEqual(
      new Set(['– null null']),
    );
  });
});
