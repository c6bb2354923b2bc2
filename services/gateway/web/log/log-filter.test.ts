import { eventTypes } from '@runlog/schema/events/event-types';
import type { Severity } from '@runlog/schema/run/snapshot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  chipsOf,
  formatFilter,
  isNoFilter,
  type LogFilter,
  noFilter,
  parseFilter,
  serverFilterOf,
  withChip,
} from './log-filter.ts';

const runTypes = ['PLATEAU_DETECTED', 'CACHE_COMPLETED'];

function parsed(typed: string): LogFilter {
  const result = parseFilter(typed, { types: runTypes });
  if (result.kind === 'fault') throw new Error(result.message);
  return result.filter;
}

function fault(typed: string): string {
  const result = parseFilter(typed, { types: runTypes });
  return result.kind === 'fault' ? `${typed.slice(result.from, result.to)} | ${result.message}` : 'no fault';
}

describe('what is typed', () => {
  it.each<[string, object]>([
    ['', {}],
    ['type:gate', { type: ['SEED_GATE_EVALUATED'] }],
    [
      'type:GATE,ppo type:round',
      { type: ['SEED_GATE_EVALUATED', 'PPO_UPDATE_COMPLETED', 'BATCH_EPOCH_COMPLETED'] },
    ],
    ['type:prune', { type: ['SEED_PRUNED', 'SEED_CULLED'] }],
    ['type:seed_pruned', { type: ['SEED_PRUNED'] }],
    ['type:plateau_detected', { type: ['PLATEAU_DETECTED'] }],
    ['type:cache', { type: ['CACHE_COMPLETED'] }],
    ['type:GOVERNOR_ROLLBACK', { type: ['GOVERNOR_ROLLBACK'] }],
    ['type:run', { type: ['TRAINING_STARTED', 'RUN_FINISHED', 'RUN_FAILED'] }],
    ['-type:reward', { not_type: ['REWARD_COMPUTED'] }],
    ['env:2 env:3,e04', { env: [2, 3, 4] }],
    ['slot:r0c1 slot:"a b"', { slot: ['r0c1', 'a b'] }],
    ['severity:error', { severity: ['error', 'critical'] }],
    ['severity:=warning', { severity: ['warning'] }],
    ['stagnation', { q: 'stagnation' }],
    ['too slow', { q: 'too slow' }],
    ['"say \\"no\\"" env:1', { env: [1], q: 'say "no"' }],
    [
      'type:gate env:2 slot:r0c1 severity:warning -type:reward "stagnation"',
      {
        ...{
          type: ['SEED_GATE_EVALUATED'],
          env: [2],
          slot: ['r0c1'],
          severity: ['warning', 'error', 'critical'],
        },
        ...{ not_type: ['REWARD_COMPUTED'], q: 'stagnation' },
      },
    ],
  ])('%s asks the server for %j', (typed, expected) => {
    expect(serverFilterOf(parsed(typed))).toEqual(expected);
  });

  it.each([
    ['env:two', 'env:two | "two" is no environment. Write its number, as in env:2.'],
    ['type:', 'type: | Write a value after type:, as in type:gate.'],
    [
      'severity:loud',
      'severity:loud | "loud" is no severity. Write one of debug, info, warning, error, critical.',
    ],
    ['env:1 -env:2', '-env:2 | Only types can be left out, as in -type:reward.'],
    [
      '-reward',
      '-reward | Only types can be left out, as in -type:reward. To search for -reward, put it in quotes: "-reward".',
    ],
    ['"a" "b"', '"b" | Only one text can be searched for. Put all of it into one pair of quotes.'],
    ['env:1 "a', '"a | Close the quotes.'],
    [
      'host:gpu1',
      'host:gpu1 | "host:" is no filter. Write type:, env:, slot:, severity: or -type:, or put text in quotes: "host:gpu1".',
    ],
    [
      'slot:"a,b"',
      'slot:"a,b" | A slot whose name has a comma cannot be asked for. Search for a part of it instead.',
    ],
  ])('%s is refused with words that say what to write', (typed, expected) => {
    expect(fault(typed)).toBe(expected);
  });

  it('suggests types for one that does not exist', () => {
    expect(fault('type:gat')).toMatch(/^type:gat \| No event has the type "gat"\. Write .*gate/);
  });

  it('may list as many values as the server takes', () => {
    const envs = (count: number) => `env:${Array.from({ length: count }, (_, env) => env).join(',')}`;
    expect(parsed(envs(64)).envs).toHaveLength(64);
    expect(fault(envs(65))).toMatch('Name at most 64 of a kind.');
    expect(fault('x'.repeat(257))).toMatch('Search for at most 256 letters.');
  });

  it('never throws, and faults lie within it', () => {
    const piece = fc.oneof(
      fc.constantFrom('type:', '-', 'env:', '"', '\\', ' ', ',', 'severity:=', 'gate', '2'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const typed = pieces.join('');
        const result = parseFilter(typed);
        if (result.kind !== 'fault') return;
        expect(result.from).toBeGreaterThanOrEqual(0);
        expect(result.to).toBeLessThanOrEqual(typed.length);
        expect(result.message).not.toBe('');
      }),
    );
  });
});

describe('a filter as text', () => {
  it.each([
    [
      '-type:REWARD  severity:warning  TYPE:Gate  stagnation',
      'type:gate severity:warning -type:reward "stagnation"',
    ],
    ['type:seed_culled', 'type:SEED_CULLED'],
    ['type:prune type:germ,stage,gate,foss', 'type:lifecycle'],
    ['type:cache', 'type:CACHE_COMPLETED'],
    ['severity:=info severity:error', 'severity:=info severity:=error severity:=critical'],
    ['slot:"a \\"b"', 'slot:"a \\"b"'],
  ])('%s is written as %s', (typed, expected) => {
    expect(formatFilter(parsed(typed))).toBe(expected);
  });

  it('is read as the same filter again', () => {
    const types = fc.uniqueArray(
      fc.constantFrom(
        ...Object.keys(eventTypes).filter((type) => type !== 'RUN_HEARTBEAT'),
        ...runTypes,
        'NEVER_HEARD_OF',
      ),
    );
    const levels: Severity[] = ['debug', 'info', 'warning', 'error', 'critical'];
    const made = fc.record({
      types,
      notTypes: types,
      envs: fc.uniqueArray(fc.nat()),
      slots: fc.uniqueArray(fc.string({ minLength: 1 }).filter((slot) => !slot.includes(','))),
      severities: fc.subarray(levels),
      text: fc.string(),
    });
    const sorted = (filter: LogFilter) => ({
      ...filter,
      types: [...filter.types].sort(),
      notTypes: [...filter.notTypes].sort(),
    });
    fc.assert(
      fc.property(made, (filter) => {
        expect(sorted(parsed(formatFilter(filter)))).toEqual(sorted(filter));
      }),
    );
  });
});

describe('chips', () => {
  const counts = {
    SEED_PRUNED: 16,
    SEED_CULLED: 1,
    EPOCH_COMPLETED: 444,
    METRICS: 7,
    RUN_HEARTBEAT: 9,
    other: 3,
  };

  it('are the classes that the run has, with their counts, and its other types', () => {
    expect(chipsOf(counts, noFilter).map(({ name, count, isOn }) => [name, count, isOn])).toEqual([
      ['lifecycle', 17, true],
      ['epoch', 444, true],
      ['metrics', 7, true],
    ]);
  });

  it('switch their types off and on, and nothing else of the filter', () => {
    const filter = parsed('env:2 -type:reward');
    const [lifecycle] = chipsOf(counts, filter);
    const without = withChip(filter, lifecycle!);
    expect(formatFilter(without)).toBe('env:2 -type:lifecycle -type:reward');
    const [off] = chipsOf(counts, without);
    expect(off).toMatchObject({ name: 'lifecycle', isOn: false });
    expect(formatFilter(withChip(without, off!))).toBe('env:2 -type:reward');
    expect(chipsOf({}, without).map(({ name }) => name)).toEqual(['lifecycle', 'reward']);
  });

  it('leave no filter behind', () => {
    const [chip] = chipsOf(counts, noFilter);
    const off = withChip(noFilter, chip!);
    expect([isNoFilter(noFilter), isNoFilter(off)]).toEqual([true, false]);
    expect(isNoFilter(withChip(off, chipsOf(counts, off)[0]!))).toBe(true);
  });
});
