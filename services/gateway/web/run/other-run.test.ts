import { expect, it } from 'vitest';
import { madeUpConnection } from '../made-up/made-up-connection.ts';
import { groupsOf, otherKeyOf } from './other-run.ts';

const [a, b, c] = ['c1/run/A', 'c1/run/B', 'c1/run/C'] as const;

it.each([
  ['there is no other group', a, null, [a], null],
  ['A is beside B', a, null, [a, b], b],
  ['and B beside A', b, null, [a, b], a],
  ['of three, the next one', b, null, [a, b, c], c],
  ['and after the last one the first', c, null, [a, b, c], a],
  ['the address names another', a, 'c2/other/default', [a, b], 'c2/other/default'],
  ['the address names the run itself', a, a, [a, b], null],
  ['nobody has said which groups there are', a, null, [], null],
])('the run beside a run, where %s', (_, key, named, groups, other) => {
  expect(otherKeyOf(key, { named, groups })).toBe(other);
});

it('asks for the groups of the run alone', async () => {
  const connection = madeUpConnection();
  const row = (group: string, run = 'run') => ({ cluster_id: 'c1', run_id: run, group_id: group });
  connection.answer(() => ({ kind: 'ok', body: { runs: [row('A'), row('B'), row('A', 'Run')] } }));
  const options = { connection, signal: new AbortController().signal };
  expect(await groupsOf(a, options)).toEqual([a, b]);
  expect(connection.asked[0]).toMatchObject({
    path: 'v1/runs',
    options: { query: { cluster: 'c1', run: 'run' } },
  });
  connection.answer(() => ({ kind: 'away' }));
  expect(await groupsOf(a, options)).toBeNull();
});
