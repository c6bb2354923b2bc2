import { describe, expect, it } from 'vitest';
import { runNameMatch } from './run-name-match.ts';

const KEY = 'c1/Resnet-50/default';
const TASK = 'Imagenet tiny';

describe('a run is found', () => {
  it.each([
    [{}, true],
    [{ q: '  ' }, true],
    [{ q: 'resnet' }, true],
    [{ q: 'c1/res' }, true],
    [{ q: 'IMAGENET' }, true],
    [{ q: 'resnet tiny' }, true],
    [{ q: 'tiny   50' }, true],
    [{ q: 'resnet 51' }, false],
    [{ q: 'resnet', task: 'net tiny' }, true],
    [{ q: 'resnet', task: 'cifar' }, false],
    [{ task: 'imagenet' }, true],
  ])('by %j: %s', (names, isFound) => {
    expect(runNameMatch(names)(KEY, TASK)).toBe(isFound);
  });

  it('by its key alone if it has no task', () => {
    expect(runNameMatch({ q: 'resnet' })(KEY, null)).toBe(true);
    expect(runNameMatch({ q: 'resnet', task: 'x' })(KEY, null)).toBe(false);
  });
});
