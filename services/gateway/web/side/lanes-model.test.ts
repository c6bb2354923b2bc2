import { describe, expect, it } from 'vitest';
import { recordedRun, simulatedRun } from '../../../../test/support/drawn-run.ts';
import { entryOf } from '../../../../test/support/entry-factory.ts';
import { LANES_MAX, laneName, lanesOf } from './lanes-model.ts';
import { SEED_EVENTS_MAX, type SeedEvent, seedEventOf } from './seed-events.ts';

const event = (seq: number, overrides: Partial<SeedEvent> = {}): SeedEvent => ({
  ...{ seq, eventId: `event-${seq}`, atMs: seq * 1_000, env: 0, slot: 'r0c0', kind: 'germinated' },
  ...{ from: null, to: null, note: '' },
  ...overrides,
});
const changed = (seq: number, to: string, overrides: Partial<SeedEvent> = {}) =>
  event(seq, { kind: 'changed', from: 'X', to, ...overrides });
const ended = (seq: number, kind: 'fossilised' | 'pruned', note = '') => event(seq, { kind, note });
const livesOf = (events: SeedEvent[], attempts: { seq: number }[] = []) =>
  lanesOf({ events, attempts }).lanes.flatMap(({ lives }) => lives);
/** `germ 1-3, train 3-7: fossilised 7`; `~` if its beginning is not known. */
const told = (events: SeedEvent[], attempts: { seq: number }[] = []) =>
  livesOf(events, attempts).map(({ segments, end, toSeq, hasBeginning }) => {
    const parts = segments.map(({ stage, fromSeq, toSeq: to }) => `${stage} ${fromSeq}-${to ?? ''}`);
    return `${hasBeginning ? '' : '~'}${parts.join(', ')}: ${end ?? 'open'} ${toSeq}`;
  });

describe('the life of a seed', () => {
  it.each<[string, SeedEvent[], string[]]>([
    [
      'goes from stage to stage to its end',
      [
        event(1, { note: 'norm' }),
        changed(3, 'TRAINING'),
        changed(5, 'BLENDING'),
        changed(6, 'HOLDING'),
        changed(7, 'FOSSILIZED'),
        ended(8, 'fossilised', '+3.0%'),
      ],
      ['germ 1-3, train 3-5, blend 5-6, hold 6-7: fossilised 8'],
    ],
    ['is open until it ends', [event(1), changed(3, 'TRAINING')], ['germ 1-3, train 3-: open 3']],
    ['may be pruned at once', [event(1), ended(2, 'pruned')], ['germ 1-2: pruned 2']],
    ['ends when its slot is pruned by stage', [event(1), changed(4, 'PRUNED')], ['germ 1-4: pruned 4']],
    [
      'ends once, and what follows in its slot is no life',
      [event(1), ended(2, 'pruned'), changed(3, 'EMBARGOED'), changed(4, 'RESETTING'), changed(5, 'DORMANT')],
      ['germ 1-2: pruned 2'],
    ],
    ['ends when the next germinates', [event(1), event(5)], ['germ 1-5: replaced 5', 'germ 5-: open 5']],
    ['may begin before what is known', [changed(4, 'BLENDING')], ['~blend 4-: open 4']],
    ['may be known by its end alone', [ended(4, 'fossilised')], ['~: fossilised 4']],
    [
      'may have a stage that nobody knows',
      [event(1), changed(2, 'DREAMING'), changed(3, 'constructor')],
      ['germ 1-2, other 2-: open 3'],
    ],
    ['goes on through gates', [event(1), event(2, { kind: 'gate' })], ['germ 1-: open 2']],
    ['is not begun by a gate', [event(2, { kind: 'gate' })], []],
    [
      'is not ended twice by two events of its end',
      [event(1), changed(2, 'FOSSILIZED'), ended(3, 'fossilised'), ended(4, 'fossilised')],
      ['germ 1-2: fossilised 3', '~: fossilised 4'],
    ],
  ])('%s', (_name, events, expected) => {
    expect(told(events)).toEqual(expected);
  });

  it('is abandoned where the training began anew', () => {
    expect(told([event(1), event(9)], [{ seq: 0 }, { seq: 5 }])).toEqual([
      'germ 1-5: abandoned 5',
      'germ 9-: open 9',
    ]);
    expect(told([event(1)], [{ seq: 5 }])).toEqual(['germ 1-5: abandoned 5']);
  });

  it('keeps what it was and how it ended', () => {
    const [life] = livesOf([event(1, { note: 'norm' }), ended(2, 'pruned', 'stagnation')]);
    expect(life).toMatchObject({ blueprint: 'norm', note: 'stagnation', fromSeq: 1, toSeq: 2 });
  });
});

describe('the lanes', () => {
  it('are one an environment and slot, in order', () => {
    const places: [number | null, string][] = [
      [1, 'r0c0'],
      [0, 'r10c0'],
      [null, ''],
      [0, 'r2c0'],
      [10, 'r0c0'],
    ];
    const events = places.map(([env, slot], seq) => event(seq, { env, slot }));
    expect(lanesOf({ events, attempts: [] }).lanes.map(laneName)).toEqual([
      'e00 r2c0',
      'e00 r10c0',
      'e01 r0c0',
      'e10 r0c0',
      'e-- ?',
    ]);
  });

  it('have names that show what a slot’s text would hide or turn round', () => {
    expect(laneName({ env: 3, slot: '\u202er0\u0007c1' })).toBe('e03 <202E>r0␇c1');
  });

  it('are made of the newest events, and those that changed last if there are too many', () => {
    const events = Array.from({ length: SEED_EVENTS_MAX + 10 }, (_, seq) => event(seq, { env: seq % 300 }));
    const model = lanesOf({ events, attempts: [] });
    expect(model.oldestSeq).toBe(10);
    expect(model.lanes).toHaveLength(LANES_MAX);
    expect(model.lanesLeftOut).toBe(300 - LANES_MAX);
  });

  it.each([['short' as const], ['one-env' as const]])('tell of every end in a recording (%s)', (name) => {
    const { entries, timeline } = recordedRun(name);
    const { counts, lanes } = lanesOf({
      events: entries.map(seedEventOf).filter((found) => found !== null),
      attempts: timeline.attempts,
    });
    const number = (type: string) => entries.filter(({ event_type }) => event_type === type).length;
    // A change of the stage may end a life whose own event is missing in these recordings.
    expect(counts.fossilised).toBeGreaterThanOrEqual(number('SEED_FOSSILIZED'));
    expect(counts.pruned).toBeGreaterThanOrEqual(number('SEED_PRUNED'));
    expect(lanes.length).toBeGreaterThan(0);
  });

  it('tell whole lives of a run that is in order', () => {
    const { entries, timeline } = simulatedRun();
    const events = entries.map(seedEventOf).filter((found) => found !== null);
    const { lanes, counts } = lanesOf({ events, attempts: timeline.attempts });
    expect(counts.fossilised).toBe(events.filter(({ kind }) => kind === 'fossilised').length);
    expect(counts.pruned).toBe(events.filter(({ kind }) => kind === 'pruned').length);
    for (const { lives } of lanes) {
      for (const [index, { fromSeq, toSeq, segments }] of lives.entries()) {
        expect(fromSeq).toBeGreaterThanOrEqual(lives[index - 1]?.toSeq ?? 0);
        expect(segments[0]?.fromSeq ?? fromSeq).toBe(fromSeq);
        for (const [at, segment] of segments.entries()) {
          if (at > 0) expect(segment.fromSeq).toBe(segments[at - 1]!.toSeq);
        }
        expect(toSeq).toBeGreaterThanOrEqual(fromSeq);
      }
    }
  });
});

describe('the event of a seed', () => {
  it.each([
    ['SEED_GERMINATED', { slot_id: 'r1c0', blueprint: 'norm' }, { kind: 'germinated', note: 'norm' }],
    [
      'SEED_STAGE_CHANGED',
      { slot_id: 'r1c0', from: 'TRAINING', to: 'BLENDING' },
      { kind: 'changed', from: 'TRAINING', to: 'BLENDING' },
    ],
    ['SEED_FOSSILIZED', { slot_id: 'r1c0', improvement: 3 }, { kind: 'fossilised', note: '+3.0%' }],
    ['SEED_FOSSILIZED', { slot_id: 'r1c0', improvement: 'NaN' }, { kind: 'fossilised', note: 'NaN' }],
    ['SEED_PRUNED', { slot_id: 'r1c0', reason: 'stagnation' }, { kind: 'pruned', note: 'stagnation' }],
    ['SEED_CULLED', { slot_id: 'r1c0', reason: '' }, { kind: 'pruned', note: '' }],
    ['SEED_GATE_EVALUATED', { slot_id: 'r1c0', gate: 'G3' }, { kind: 'gate' }],
  ])('is read from an entry of %s', (type, metadata, expected) => {
    const found = seedEventOf(entryOf({ event_type: type, env_id: 2, seq: 7, metadata: metadata as never }));
    expect(found).toMatchObject({ seq: 7, env: 2, slot: 'r1c0', eventId: 'event-7', ...expected });
  });

  it.each(['EPOCH_COMPLETED', 'constructor'])('is none of type %s', (type) => {
    expect(seedEventOf(entryOf({ event_type: type }))).toBeNull();
  });

  it('may name neither environment nor slot', () => {
    const found = seedEventOf(entryOf({ event_type: 'SEED_PRUNED', env_id: null }));
    expect(found).toMatchObject({ env: null, slot: '' });
  });
});
