import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@runlog/service-kit/read-config';
import { expect, it, onTestFinished } from 'vitest';
import { readClientConfig } from './client-config.ts';

it('takes the key from its variable or from a file, and not from both', () => {
  const folder = mkdtempSync(join(tmpdir(), 'runlog-key-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'key');
  writeFileSync(file, 'from-file\n');
  expect(readClientConfig({ RUNLOG_KEY: 'k' }).key).toBe('k');
  expect(readClientConfig({ RUNLOG_KEY_FILE: file }).key).toBe('from-file');
  expect(() => readClientConfig({ RUNLOG_KEY: 'k', RUNLOG_KEY_FILE: file })).toThrow('are both set');
  expect(() => readClientConfig({ RUNLOG_KEY_FILE: `${file}-missing`, RUNLOG_GATEWAY_URL: 'x' })).toThrow(
    ConfigError,
  );
});

it('follows the file of the key, and keeps the former one while the file is empty or missing', () => {
  const folder = mkdtempSync(join(tmpdir(), 'runlog-key-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'key');
  writeFileSync(file, 'former\n');
  const { currentKey } = readClientConfig({ RUNLOG_KEY_FILE: file });
  expect(currentKey()).toBe('former');
  writeFileSync(file, '');
  expect(currentKey()).toBe('former');
  rmSync(file);
  expect(currentKey()).toBe('former');
  writeFileSync(file, 'new\n');
  expect(currentKey()).toBe('new');
});
