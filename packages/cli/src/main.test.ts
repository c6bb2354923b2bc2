import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('knows every command that has a file', () => {
  const main = readFileSync(new URL('main.ts', import.meta.url), 'utf8');
  const files = readdirSync(new URL('commands', import.meta.url)).filter((name) => !name.includes('.test.'));
  expect(files.length).toBeGreaterThan(10);
  expect(files.filter((name) => !main.includes(`import('./commands/${name}')`))).toEqual([]);
});
