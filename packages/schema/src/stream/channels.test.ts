import { expect, it } from 'vitest';
import { figuresChannel, indexChannel, parseChannel, runChannel } from './channels.ts';

it('reads what it wrote', () => {
  expect(parseChannel(runChannel('c/r/g'))).toEqual({ kind: 'run', key: 'c/r/g' });
  expect(parseChannel(figuresChannel('c/r/g'))).toEqual({ kind: 'figures', key: 'c/r/g' });
  expect(parseChannel(indexChannel('c/*'))).toEqual({ kind: 'runs', glob: 'c/*' });
});

it.each(['', 'run', ':', ':run', 'logs:c/r/g', 'figure:c/r/g', 'RUN:c/r/g'])(
  'finds no channel in "%s"',
  (ch) => {
    expect(parseChannel(ch)).toBe(null);
  },
);
