import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { describe, expect, it } from 'vitest';
import { entryOf } from '../../../../test/support/entry-factory.ts';
import { pageCase } from '../../../../test/support/page-cases.ts';
import { entryLine, isRolledUp, lineOf, type RowLine } from './line-text.ts';
import { LogRows } from './log-rows.ts';

function entry(event_type: string, overrides: Partial<EventLogEntry> = {}): EventLogEntry {
  return entryOf({ event_type, message: event_type, ...overrides });
}

const textOf = ({ text }: Pick<RowLine, 'text'>) => text.map((span) => span.text).join('');
const tonesOf = ({ text }: RowLine) => text.map(({ tone }) => tone);
const meta = (metadata: Record<string, string | number>) => ({ metadata }) as Partial<EventLogEntry>;

describe('the line of an event', () => {
  it.each<[string, Partial<EventLogEntry>, string, string]>([
    ['SEED_STAGE_CHANGED', meta({ from: 'TRAINING', to: 'BLENDING' }), 'STAGE', 'TRAIN→BLEND'],
    ['SEED_STAGE_CHANGED', meta({ from: 'NEW_STAGE', to: 'HOLDING' }), 'STAGE', 'NEW_STAGE→HOLD'],
    ['SEED_GATE_EVALUATED', meta({ gate: 'G2', target_stage: 'BLENDING', result: 'PASS' }), 'G2', '✓ →BLEND'],
    [
      'SEED_GATE_EVALUATED',
      meta({
        gate: 'G5',
        target_stage: 'FOSSILIZED',
        result: 'FAIL',
        failed_checks: 1,
        detail: 'improvement',
      }),
      'G5',
      '✗ →FOSS (1 failed) improvement',
    ],
    ['SEED_FOSSILIZED', meta({ improvement: -0.5 }), 'FOSS', '-0.5%'],
    ['SEED_CULLED', meta({ reason: '' }), 'PRUNE', ''],
    ['PPO_UPDATE_COMPLETED', meta({ entropy: 'NaN', clip_fraction: 0.15 }), 'PPO', 'ent:NaN clip:15%'],
    [
      'PPO_UPDATE_COMPLETED',
      { ...meta({ entropy: 0.8 }), values: { value_loss: 'Infinity', grad_norm: 2, kl_divergence: 0.01 } },
      'PPO',
      'ent:0.80 kl:0.010 value_loss=Infinity',
    ],
    [
      'BATCH_EPOCH_COMPLETED',
      { ...meta({ batch: 27, episodes: 112 }), values: { avg_accuracy: 83.94 } },
      'ROUND',
      '#27 112 eps acc:83.9%',
    ],
    [
      'TRAINING_STARTED',
      { message: 'resumed', values: { task: 'cifar', n_envs: 4, seed: 7 } },
      'START',
      '▶ TRAINING STARTED resumed cifar 4 envs seed 7',
    ],
    [
      'RUN_FAILED',
      { values: { reason: 'CUDA out of memory', rank: 3 } },
      'FAILED',
      'CUDA out of memory rank=3',
    ],
    [
      'RUN_FAILED',
      { message: 'OOM', values: { reason: 'CUDA out of memory' } },
      'FAILED',
      'OOM reason="CUDA out of memory"',
    ],
    // A long reason is in the event only.
    ['RUN_FAILED', { values: { rank: 3 } }, 'FAILED', 'why: open the event rank=3'],
    ['RUN_FINISHED', { values: { rank: 3 } }, 'FINISHED', 'rank=3'],
    ['REWARD_COMPUTED', { values: { total_reward: -0.004, bonus: true } }, 'REWARD', '0.00 bonus=true'],
    ['EPOCH_COMPLETED', { message: 'no data', values: { val_accuracy: 'NaN' } }, 'EPOCH', 'no data NaN'],
    [
      'CACHE_COMPLETED',
      { message: 'warm', values: { hit_rate: 0.12345678, path: 'a b' } },
      'CACHE',
      'warm hit_rate=0.123457 path="a b"',
    ],
    ['constructor', {}, 'constructor', ''],
  ])('of %s %j is %s and %s', (type, overrides, kind, text) => {
    const line = entryLine(entry(type, overrides));
    expect([line.kind.text, textOf(line)]).toEqual([kind, text]);
  });

  it('has columns for the environment and the slot', () => {
    const line = entryLine(entry('SEED_PRUNED', { env_id: 2, ...meta({ slot_id: 'r0c1', reason: 'slow' }) }));
    expect(line).toMatchObject({ env: 'e02', slot: 'r0c1' });
    expect(entryLine(entry('METRICS', { env_id: null }))).toMatchObject({ env: '', slot: '' });
  });

  it('shows what is not a number as a fault, and a clip fraction above 20 % as a warning', () => {
    expect(
      tonesOf(entryLine(entry('PPO_UPDATE_COMPLETED', meta({ entropy: 'NaN', clip_fraction: 0.21 })))),
    ).toEqual(['bad', 'warn']);
    expect(tonesOf(entryLine(entry('PPO_UPDATE_COMPLETED', meta({ clip_fraction: 0.2 }))))).toEqual(['good']);
    expect(tonesOf(entryLine(entry('SEED_FOSSILIZED', meta({ improvement: 'NaN' }))))).toEqual(['bad']);
  });

  it('begins with its severity unless that is info', () => {
    const line = entryLine(entry('LOG_RECORD', { severity: 'error', message: 'disk full' }));
    expect(textOf(line)).toBe('ERROR disk full');
    expect(line.text[0]).toEqual({ text: 'ERROR ', tone: 'bad' });
    expect(
      textOf(entryLine(entry('SEED_PRUNED', { severity: 'warning', ...meta({ reason: 'slow' }) }))),
    ).toBe('WARNING slow');
  });

  it('keeps names whole, with letters of two UTF-16 units', () => {
    const [germinated] = pageCase('cut-in-a-pair');
    expect(textOf(entryLine(germinated!))).toBe('abcdefgh😀xyz 1 params');
  });

  it('keeps a slot that turns the direction of text in a column of its own', () => {
    const [culled] = pageCase('direction-override');
    expect(entryLine(culled!)).toMatchObject({ slot: 'r0\u202ec1', env: 'e02' });
    expect(textOf(entryLine(culled!))).toBe('stagnat');
  });
});

describe('the line of a roll-up', () => {
  const lineOfAll = (...values: EventLogEntry['values'][]) => {
    const log = new LogRows();
    log.add(
      values.map((each, at) => entry('EPOCH_COMPLETED', { seq: at + 1, env_id: at % 3, values: each })),
    );
    const row = log.rows[1];
    if (row?.kind !== 'rollup') throw new Error('no roll-up');
    return lineOf(row);
  };

  it('says how many events, the environments, and the range of the value', () => {
    const line = lineOfAll({ val_accuracy: 83.81 }, { val_accuracy: 84.1 }, { val_accuracy: 84 });
    expect([line.env, line.kind.text, textOf(line)]).toEqual(['3 env', 'EPOCH', '×3 83.8 … 84.1%']);
  });

  it('says one value once, and nothing where no event has it', () => {
    expect(textOf(lineOfAll({ val_accuracy: 84.02 }))).toBe('×1 84.0%');
    expect(textOf(lineOfAll({}))).toBe('×1');
  });

  it('says how many events have a value that is not a number', () => {
    const line = lineOfAll(
      { val_accuracy: 84, val_loss: 'NaN' },
      { val_accuracy: 'NaN', val_loss: 'Infinity' },
    );
    expect(textOf(line)).toBe('×2 84.0% NaN ×2');
    expect(tonesOf(line).at(-1)).toBe('bad');
  });
});

it('the line of a burst counts its kinds, most first', () => {
  const log = new LogRows();
  const types = [...Array<string>(9).fill('SEED_PRUNED'), ...Array<string>(4).fill('SEED_GATE_EVALUATED')];
  log.add(types.map((type, at) => entry(type, { seq: at + 1, env_id: 5 })));
  const row = log.rows[1];
  if (row?.kind !== 'burst') throw new Error('no burst');
  const line = lineOf(row);
  expect([line.env, line.kind.text, textOf(line)]).toEqual(['e05', '×13', 'PRUNE 9 · GATE 4']);
});

it.each([
  ['EPOCH_COMPLETED', {}, true],
  ['REWARD_COMPUTED', { message: '' }, true],
  ['REWARD_COMPUTED', { message: 'words' }, false],
  ['EPOCH_COMPLETED', { severity: 'warning' }, false],
  ['EPOCH_COMPLETED', { severity: 'debug' }, true],
  ['METRICS', {}, false],
  ['RUN_FAILED', {}, false],
] as const)('%s %j is rolled up: %s', (type, overrides, expected) => {
  expect(isRolledUp(entry(type, overrides))).toBe(expected);
});
