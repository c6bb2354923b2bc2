import { expect, it } from 'vitest';
import { indexChannel, parseChannel, runChannel } from './channels.ts';

it('reads what it wrote', () => {
  expect(parseChannel(runChannel('c/r/g'))).toEqual({ kind: 'run', key: 'c/r/g' });
  expect(parseChannel(indexChannel('c/*'))).toEqual({ kind: 'runs', glob: 'c/*' });
});

it.each(['', 'run', ':', ':run', 'figures:c/r/g', 'RUN:c/r/g'])('finds no channel in "%s"', (ch) => {
  expect(parseChannel(ch)).toBe(null);
});
