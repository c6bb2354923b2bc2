import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
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

test('below a folder a recording is known although its beginning is damaged, and what holds no events is named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'runlog-folder-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const event = '{"event_type":"STEP","run_id":"r"}';
  const files: Readonly<Record<string, string | Buffer>> = {
    'array.jsonl': `[${event},\n${event}]`,
    'cut.jsonl': `"run_id":"r"}\n${event}\n`,
    'data.jsonl': '{"text":"a row"}\n',
    'empty.jsonl': '',
    'utf16.jsonl': Buffer.from(`\uFEFF${event}\n`, 'utf16le'),
    'run.wandb': 'damaged',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const found: Found[] = [];
  for await (const one of findSources(folder, { runId: undefined })) found.push(one);
  const kindOf = (one: Found) => [basename(one.kind === 'source' ? one.source.path : one.path), one.kind];
  expect(Object.fromEntries(found.map(kindOf))).toEqual({
    'array.jsonl': 'source',
    'cut.jsonl': 'source',
    'data.jsonl': 'passed',
    'utf16.jsonl': 'source',
    'run.wandb': 'not_read',
  });
});
