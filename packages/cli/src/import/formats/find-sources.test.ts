import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Found, findSources } from './find-sources.ts';

test('a pipe is taken for events in JSON and is not looked into, because it can be read once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'runlog-pipe-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const found: Found[] = [];
  for await (const one of findSources(path, { runId: 'r' })) found.push(one);
  expect(found).toMatchObject([{ kind: 'source', source: { path, format: 'events', runId: 'r' } }]);
});
