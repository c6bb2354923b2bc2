import { runWhereFields, runWhereSchema } from '@runlog/schema/run/run-where';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FleetFilter, figureNames, parseFleetFilter, withMissing, withStates } from './fleet-filter.ts';

const filter = (over: Partial<FleetFilter> = {}): FleetFilter => ({
  ...{ q: '', cluster: null, task: null, states: [], where: [] },
  ...over,
});

describe('the filter of the fleet', () => {
  it.each<[string, Partial<FleetFilter>]>([
    ['', {}],
    ['  ', {}],
    ['resnet', { q: 'resnet' }],
    ['c1/sim  7-02', { q: 'c1/sim 7-02' }],
    ['cluster:c1', { cluster: 'c1' }],
    ['task:cifar', { task: 'cifar' }],
    ['task:"tiny stories" x', { task: 'tiny stories', q: 'x' }],
    ['"a:b>1"', { q: 'a:b>1' }],
    ['"not closed', { q: 'not closed' }],
    ['state:failed,quiet', { states: ['failed', 'quiet'] }],
    ['STATE:Lost status:lost_contact', { states: ['lost_contact'] }],
    ['acc>80 missing>0', { where: ['accuracy>80', 'missing>0'] }],
    ['acc>=80.5%', { where: ['accuracy>=80.5'] }],
    ['ep<3 reward=-.5', { where: ['episode<3', 'reward=-.5'] }],
    [
      'cluster:c1 state:failed task:cifar acc>80 name',
      { cluster: 'c1', states: ['failed'], task: 'cifar', where: ['accuracy>80'], q: 'name' },
    ],
  ])('reads %j', (typed, expected) => {
    expect(parseFleetFilter(typed)).toEqual({ filter: filter(expected), fault: null });
  });

  it.each<[string, string]>([
    ['owner:me', 'There is no "owner:" to filter by; there are cluster:, state: and task:.'],
    ['state:', 'state: needs a state: failed, lost, quiet, running, finished.'],
    ['state:fai', 'There is no state "fai"; there are failed, lost, quiet, running, finished.'],
    ['cluster:', 'cluster: needs the name of a cluster, such as cluster:c1.'],
    ['cluster:a cluster:b', 'A run is in one cluster only: name one.'],
    ['task:', 'task: needs a part of the task, such as task:cifar.'],
    ['task:a task:b', 'One part of the task can be asked for.'],
    ['acc>', 'acc> needs a number, such as acc>80.'],
    ['acc>x', '"x" is not a number, to which acc can be compared.'],
    ['acc>1e999', '"1e999" is not a number, to which acc can be compared.'],
    [
      'accc>80',
      'There is no figure "accc" to compare; there are acc, rew, ev, miss, dup, ep, round, attempt.',
    ],
    ['x'.repeat(257), 'The words have at most 256 characters together.'],
    [`task:${'x'.repeat(257)}`, 'What follows "task:" has at most 256 characters.'],
    [
      `state:${'x'.repeat(41)}`,
      `There is no state "${'x'.repeat(39)}…"; there are failed, lost, quiet, running, finished.`,
    ],
    ['acc>1 '.repeat(9), 'A filter has at most 8 conditions.'],
  ])('says what is wrong with %j in one sentence', (typed, fault) => {
    expect(parseFleetFilter(typed).fault).toBe(fault);
  });

  it('keeps what it understands beside what it does not', () => {
    expect(parseFleetFilter('acc>80 owner:me x').filter).toEqual(filter({ where: ['accuracy>80'], q: 'x' }));
  });

  it('knows the figures that the server compares', () => {
    expect(Object.keys(figureNames).sort()).toEqual([...runWhereFields].sort());
  });

  it('asks the server for nothing that it refuses, whatever is typed', () => {
    const piece = fc.constantFrom(
      'acc',
      'state:',
      '>',
      '=',
      '80',
      '"',
      ' ',
      ':',
      'lost',
      ',',
      'x',
      '.',
      '-',
      'e9',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const { where } = parseFleetFilter(pieces.join('')).filter;
        for (const each of where) expect(runWhereSchema.safeParse(each).success).toBe(true);
      }),
    );
  });
});

describe('a chip', () => {
  it.each([
    ['', ['failed'], 'state:failed'],
    ['acc>80', ['failed', 'quiet'], 'state:failed,quiet acc>80'],
    ['x state:quiet "a b"', ['lost_contact'], 'state:lost x "a b"'],
    ['state:quiet status:failed x', [], 'x'],
  ] as const)('sets the states of %j to %j', (typed, states, expected) => {
    expect(withStates(typed, states)).toBe(expected);
  });

  it.each([
    ['', true, 'missing>0'],
    ['miss>0 x', true, 'x missing>0'],
    ['x missing>0', false, 'x'],
    ['missing>5', false, 'missing>5'],
  ] as const)('asks in %j for missing events: %j', (typed, isWanted, expected) => {
    expect(withMissing(typed, isWanted)).toBe(expected);
  });
});
