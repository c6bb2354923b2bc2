import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { firstEventCommand } from '@runlog/schema/documents/first-event';
import { validateEvent } from '@runlog/schema/events/validate-event';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (name: string) => readFileSync(join(root, name), 'utf8');

/** Whether a file or folder has this prefix. A document may name a group of files by the beginning of their names. */
function begins(name: string): boolean {
  const folder = join(root, dirname(name));
  return existsSync(folder) && readdirSync(folder).some((entry) => entry.startsWith(basename(name)));
}

describe('the documents', () => {
  it('name tests that exist for every guarantee', () => {
    const named = [...read('ARCHITECTURE.md').matchAll(/`((?:test|packages|services)\/[\w./-]+\.ts)`/g)].map(
      (match) => match[1]!,
    );
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((name) => !existsSync(join(root, name)))).toEqual([]);
  });

  it.each(['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md'])('name files that exist in %s', (document) => {
    const named = [
      ...read(document).matchAll(/(?:^|[\s(`])((?:docs|clients|packages|services|test)\/[\w./-]*\w)/gm),
    ].map((match) => match[1]!);
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((name) => !begins(name))).toEqual([]);
  });

  it('begin in README.md with the event that `npm start` and the empty page show', () => {
    const command = firstEventCommand('http://127.0.0.1:4000').replaceAll(/^/gm, '    ');
    expect(read('README.md')).toContain(command);
    const json = command.slice(command.indexOf('{'), command.lastIndexOf("'"));
    const event: unknown = JSON.parse(
      json.replace("'$(date +%s)'", '1').replace(/'\$\(date -u [^)]*\)'/, '2026-01-03T23:59:47Z'),
    );
    expect(validateEvent(event)).toEqual({ event });
  });

  it('name npm scripts that exist', () => {
    const scripts = Object.keys(
      (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts,
    );
    const named = ['README.md', 'CONTRIBUTING.md', 'docs/operations.md'].flatMap((document) =>
      [...read(document).matchAll(/npm run ([\w:-]+)/g)].map((match) => match[1]!),
    );
    expect(named.filter((name) => !scripts.includes(name))).toEqual([]);
  });
});
