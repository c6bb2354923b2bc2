import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-installed-'));
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: root });
  await run('tar', ['-xzf', stdout.trim(), '--strip-components=1'], { cwd: folder });
  // The folder holds what npm would install: the dependencies, and no link to a package of our own.
  await mkdir(join(folder, 'node_modules'));
  for (const name of await readdir(join(root, 'node_modules'))) {
    if (name === '@runlog') continue;
    await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  }
});

afterAll(() => rm(folder, { recursive: true, force: true }));

it.each(['checkout', 'tarball'])('runs from a %s, without a warning of Node', async (place) => {
  const bin = join(place === 'checkout' ? root : folder, 'packages/cli/bin/runlog.js');
  // `up` imports every service.
  const { stdout, stderr } = await run(process.execPath, [bin, 'up', '--help']);
  expect(stdout).toMatch(/^runlog up: /);
  expect(stderr).toBe('');
});
