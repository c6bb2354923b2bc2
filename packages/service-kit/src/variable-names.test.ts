import { expect, it } from 'vitest';
import { warnOfUnknownVariables } from './variable-names.ts';

function warningsOf(env: Record<string, string>): string[] {
  const warnings: string[] = [];
  const warn = (_fields: unknown, message: string) => warnings.push(message);
  warnOfUnknownVariables(env, { warn } as unknown as Parameters<typeof warnOfUnknownVariables>[1]);
  return warnings;
}

it.each([
  ['RUNLOG_KEYFILE', 'RUNLOG_KEY_FILE'],
  ['RUNLOG_INGEST_PROT', 'RUNLOG_INGEST_PORT'],
  ['RUNLOG_DATADIR', 'RUNLOG_DATA_DIR'],
])('names %s with the nearest known name, and not its value', (typed, meant) => {
  const expected = `nothing reads the variable ${typed}; did you mean ${meant}?`;
  expect(warningsOf({ [typed]: 'hunter2' })).toEqual([expected]);
});

it('names a variable that is near to none, without a guess', () => {
  expect(warningsOf({ RUNLOG_FAVOURITE_COLOUR: 'red' })).toEqual([
    'nothing reads the variable RUNLOG_FAVOURITE_COLOUR',
  ]);
});

it('does not mention the variables of another service or of other software', () => {
  expect(warningsOf({ RUNLOG_GATEWAY_PORT: '1', RUNLOG_KEY: 'k', RUNLOGS_X: '', PATH: '/bin' })).toEqual([]);
});
