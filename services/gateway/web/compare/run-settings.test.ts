import { describe, expect, it } from 'vitest';
import { SETTINGS_MAX, settingNames, settingsOf } from './run-settings.ts';

const settingsWith = (data: Record<string, unknown>) => settingsOf({ event: { data } } as never);

describe('the settings of runs', () => {
  it('are the fields of TRAINING_STARTED as they are written', () => {
    const settings = settingsWith({ lr: 0.1, task: 'cifar', slot_ids: ['r0c0'], none: null });
    expect([...settings]).toEqual([
      ['lr', '0.1'],
      ['task', 'cifar'],
      ['slot_ids', '["r0c0"]'],
    ]);
  });

  it('that differ are those that one run has otherwise, or does not have', () => {
    const all = [settingsWith({ lr: 1, seed: 1, task: 'a' }), settingsWith({ lr: 1, seed: 2, own: 1 })];
    expect(settingNames(all, { onlyDiffering: true })).toEqual(['seed', 'task', 'own']);
    expect(settingNames(all, { onlyDiffering: false })).toEqual(['lr', 'seed', 'task', 'own']);
    expect(settingNames([all[0]!], { onlyDiffering: true })).toEqual([]);
    expect(settingNames([], { onlyDiffering: true })).toEqual([]);
  });

  it('are bounded in number and in length', () => {
    const many = settingsWith(Object.fromEntries(Array.from({ length: 99 }, (_, at) => [`f${at}`, at])));
    expect(many.size).toBe(SETTINGS_MAX);
    expect(settingsWith({ long: 'x'.repeat(9_999) }).get('long')!.length).toBeLessThan(500);
  });
});
