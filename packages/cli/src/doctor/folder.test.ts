import type { FolderSight } from '@runlog/topic-io/embedded/inspect-embedded';
import { expect, it } from 'vitest';
import { judgeFolder } from './folder.ts';

const GIB = 1024 ** 3;
const log: FolderSight = {
  ...{ kind: 'log', folder: '/log', format: 2, formatOfBuild: 2, state: 'ready', isWritable: true },
  ...{ fileBytes: GIB, diskFreeBytes: 10 * GIB, holder: null },
};
const none: FolderSight = { kind: 'none', folder: '/log', exists: false };

it.each([
  ['a log that nobody owns', log, false, []],
  ['a log that is owned', { ...log, holder: { pid: 7, host: 'h' }, isWritable: false }, false, []],
  ['little room', { ...log, diskFreeBytes: GIB / 2 }, false, ['warning room']],
  ['no room', { ...log, diskFreeBytes: 1 }, false, ['failed room']],
  ['a log of another user', { ...log, isWritable: false }, false, ['failed permissions']],
  ['a log that is being made', { ...log, state: 'creating' }, false, ['warning log']],
  ['no log', none, true, ['warning log']],
  ['no log, and no right to make one', none, false, ['failed log']],
] as const)('judges %s', (_, sight, mayBeMade, due) => {
  const found = judgeFolder(sight, mayBeMade).filter(({ status }) => status !== 'ok');
  expect(found.map(({ status, name }) => `${status} ${name}`)).toEqual(due);
});
