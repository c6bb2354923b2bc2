import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Key } from '@runlog/schema/keys';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keyFileFaults, openKeyFile } from './key-file.ts';
import { bearerOf, digestOf } from './keys.ts';
import { ConfigError } from './read-config.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-keys-'));
  path = join(folder, 'keys.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const publishKey = (id: string, overrides: object = {}): Key =>
  ({ id, sha256: digestOf(`secret of ${id}`), role: 'publish', cluster: 'c1', ...overrides }) as Key;

async function write(keys: readonly unknown[]): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify({ keys }));
  await rename(`${path}.new`, path);
}

async function opened() {
  const lines: string[] = [];
  const say = (_fields: object, message: string) => void lines.push(message);
  const keys = await openKeyFile({ path, logger: { debug: say, info: say, warn: say, error: say } });
  return Object.assign(keys, { lines });
}

describe('a key file', () => {
  it('finds a key by its secret and nothing else', async () => {
    await write([publishKey('a'), publishKey('b')]);
    await using keys = await opened();
    expect(keys.find('secret of b')?.id).toBe('b');
    for (const wrong of ['', 'secret of c', digestOf('secret of a'), 'x'.repeat(10_000)]) {
      expect(keys.find(wrong)).toBeNull();
    }
  });

  it('picks up a change while it is open, by rename or in place, and tells its listeners', async () => {
    await write([publishKey('a')]);
    await using keys = await opened();
    let changes = 0;
    keys.onChange(() => {
      changes += 1;
    });
    await write([publishKey('b')]);
    await expect.poll(() => keys.find('secret of b')?.id).toBe('b');
    expect(keys.find('secret of a')).toBeNull();
    await writeFile(path, JSON.stringify({ keys: [publishKey('c')] }));
    await expect.poll(() => keys.find('secret of c')?.id).toBe('c');
    expect(changes).toBe(2);
  });

  it('keeps the former keys when the file is broken or gone, says so, and takes the next good one', async () => {
    await write([publishKey('a')]);
    await using keys = await opened();
    await writeFile(path, '{"keys":[');
    await expect.poll(() => keys.lines).toContainEqual(expect.stringContaining('cannot be used'));
    expect(keys.find('secret of a')?.id).toBe('a');
    await rm(path);
    await expect.poll(() => keys.lines).toContainEqual(expect.stringContaining('cannot be read'));
    expect(keys.find('secret of a')?.id).toBe('a');
    await write([publishKey('b')]);
    await expect.poll(() => keys.find('secret of b')?.id).toBe('b');
  });

  it('is a configuration fault when it is missing at the start', async () => {
    await expect(opened()).rejects.toThrow(ConfigError);
    expect(keyFileFaults(path)).toEqual([expect.stringContaining('cannot be read')]);
    expect(keyFileFaults(undefined)).toEqual([]);
  });

  it.each([
    ['no JSON', '{"keys":', 'is not JSON'],
    ['no list', '{}', 'keys'],
    ['an unknown field', { ...publishKey('a'), admin: true }, 'admin'],
    ['an invalid role', { ...publishKey('a'), role: 'root' }, 'role'],
    ['the key itself where its digest belongs', { ...publishKey('a'), sha256: 'hunter2' }, 'sha256'],
    ['an invalid cluster', { ...publishKey('a'), cluster: 'a/b' }, 'cluster'],
    ['a view key without runs', { id: 'v', sha256: digestOf('v'), role: 'view', runs: [] }, 'runs'],
    ['a rate of zero', publishKey('a', { events_per_second: 0 }), 'events_per_second'],
  ])('refuses %s and names the place without quoting the text', async (_what, content, place) => {
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify({ keys: [content] }));
    const [fault = ''] = keyFileFaults(path);
    expect(fault).toContain(place);
    expect(fault).not.toContain('hunter2');
  });

  it('refuses an id or a digest that occurs twice', async () => {
    await write([publishKey('a'), { ...publishKey('a'), sha256: digestOf('x') }]);
    expect(keyFileFaults(path)).toEqual([expect.stringContaining('keys.1.id is there twice')]);
    await write([publishKey('a'), { ...publishKey('a'), id: 'b' }]);
    expect(keyFileFaults(path)).toEqual([expect.stringContaining('keys.1.sha256 is there twice')]);
  });
});

describe('the Authorization header', () => {
  it.each([
    ['Bearer abc', 'abc'],
    ['bearer  abc ', 'abc'],
    ['Basic abc', null],
    ['Bearer', null],
    ['Bearer a b', null],
    [undefined, null],
  ])('%s gives %s', (header, key) => {
    expect(bearerOf(header)).toBe(key);
  });
});
