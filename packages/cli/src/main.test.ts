import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

it('knows every command that has a file', () => {
  const main = readFileSync(new URL('main.ts', import.meta.url), 'utf8');
  const files = readdirSync(new URL('commands', import.meta.url)).filter((name) => !name.includes('.test.'));
  expect(files.length).toBeGreaterThan(10);
  expect(files.filter((name) => !main.includes(`import('./commands/${name}')`))).toEqual([]);
});

it('says with every command that nothing reads a variable', () => {
  const bin = fileURLToPath(new URL('../bin/runlog.js', import.meta.url));
  const env = { ...process.env, RUNLOG_KEYFILE: 'x' };
  const { stderr } = spawnSync(process.execPath, [bin, 'keys', 'list'], { env, encoding: 'utf8' });
  expect(stderr).toContain('nothing reads the variable RUNLOG_KEYFILE; did you mean RUNLOG_KEY_FILE?');
});
