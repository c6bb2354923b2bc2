import { describe, expect, it } from 'vitest';
import {
  type FleetFilter,
  formatFleetFilter,
  indexViewOf,
  noFleetFilter,
  parseFleetFilter,
} from './fleet-filter.ts';

const parsed = (typed: string): FleetFilter => {
  const result = parseFleetFilter(typed);
  if (result.kind === 'fault') throw new Error(result.message);
  return result.filter;
};

describe('the filter of the table', () => {
  it.each<[string, Partial<FleetFilter>]>([
    ['', {}],
    ['  resnet   50 ', { words: 'resnet 50' }],
    ['cluster:c1', { cluster: 'c1' }],
    ['state:failed,lost state:quiet', { states: ['failed', 'lost_contact', 'quiet'] }],
    ['is:lost_contact', { states: ['lost_contact'] }],
    ['task:CIFAR', { task: 'CIFAR' }],
    ['acc>80 missing>0', { where: ['accuracy>80', 'missing>0'] }],
    [
      'acc>=80% rew<-0.5 ev=1e3 round<=.5',
      {
        where: ['accuracy>=80', 'reward<-0.5', 'events=1e3', 'batch<=.5'],
      },
    ],
    [
      'cluster:c1 state:running acc>1 a/b',
      {
        ...{ cluster: 'c1', states: ['running'], where: ['accuracy>1'], words: 'a/b' },
      },
    ],
  ])('%j is read', (typed, expected) => {
    expect(parsed(typed)).toEqual({ ...noFleetFilter, ...expected });
    expect(parsed(formatFleetFilter(parsed(typed)))).toEqual(parsed(typed));
  });

  it.each([
    ['state:broken', 'There is no state "broken": there are failed, lost, quiet, running, finished.'],
    ['state:', 'There is no state "": there are failed, lost, quiet, running, finished.'],
    [
      'loss>3',
      'There is no figure "loss" to compare: there are acc, reward, events, missing, dup, ep, round, attempt.',
    ],
    ['acc>high', 'Compare acc to a number: acc>80.'],
    ['acc>', 'Compare acc to a number: acc>80.'],
    [
      'colour:red',
      'There is nothing named "colour:" to filter by: there are cluster:, state:, task: and figures such as acc>80.',
    ],
    ['cluster:', 'Write what follows "cluster:" without a blank.'],
    ['cluster:a cluster:b', 'Ask for one cluster only.'],
    [`task:${'t'.repeat(300)}`, 'A task has at most 256 characters here.'],
    [Array.from({ length: 9 }, (_, at) => `acc>${at}`).join(' '), 'Ask for at most 8 figures.'],
  ])('%j has one sentence that says what to write', (typed, message) => {
    expect(parseFleetFilter(typed)).toEqual({ kind: 'fault', message });
  });

  it('asks the server for nothing that does not matter', () => {
    expect(indexViewOf(noFleetFilter)).toEqual({});
    expect(indexViewOf(parsed('state:failed acc>80 x'))).toEqual({
      ...{ status: ['failed'], where: ['accuracy>80'], q: 'x' },
    });
  });
});
