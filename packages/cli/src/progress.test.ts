import { expect, test } from 'vitest';
import { createProgress } from './progress.ts';

test('control characters of quoted text are shown, not executed, and line feeds stay', () => {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text) };
  const progress = createProgress({ stream, now: () => written.length * 10_000 });
  progress.note('a\u001b[31m\nb\u0007');
  progress.trouble('c\u202e');
  progress.update(() => 'd\u001b]0;title\u0007');
  expect(written).toEqual(['a�[31m\nb�\n', 'c�\n', 'd�]0;title�\n']);
});
