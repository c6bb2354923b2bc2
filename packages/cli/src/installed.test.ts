import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
/** Our own packages, and what the page is bundled with and from. An installation of the tarball has none of them. */
const notInstalled = ['@runlog', '@preact', '@tanstack', 'esbuild', 'preact', 'uplot'];

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-installed-'));
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: root });
  await run('tar', ['-xzf', stdout.trim(), '--strip-components=1'], { cwd: folder });
  await mkdir(join(folder, 'node_modules'));
  for (const name of await readdir(join(root, 'node_modules'))) {
    if (notInstalled.includes(name)) continue;
    await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  }
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const command = (place: string) => join(place, 'packages/cli/bin/runlog.js');

it.each(['checkout', 'tarball'])('runs from a %s, without a warning of Node', async (place) => {
  const bin = command(place === 'checkout' ? root : folder);
  // `up` imports every service.
  const { stdout, stderr } = await run(process.execPath, [bin, 'up', '--help']);
  expect(stdout).toMatch(/^runlog up: /);
  expect(stderr).toBe('');
});

it('serves the page that the tarball holds, without its sources and without a bundler', async () => {
  expect(existsSync(join(folder, 'services/gateway/web'))).toBe(false);
  const env = {
    ...{ PATH: process.env.PATH, RUNLOG_DATA_DIR: join(folder, '.runlog') },
    ...{ RUNLOG_INGEST_PORT: '0', RUNLOG_GATEWAY_PORT: '0', RUNLOG_AGGREGATOR_PORT: '0' },
  };
  const up = spawn(process.execPath, [command(folder), 'up'], {
    ...{ cwd: folder, env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(up, 'exit');
  try {
    const gateway = await addressOf(up.stdout);
    const page = await fetch(gateway);
    const atOnce = (await page.text()).match(/assets\/[\w-]+\.(?:js|css)/g) ?? [];
    const main = await fetch(`${gateway}/${atOnce.find((asset) => asset.startsWith('assets/main-'))}`);
    // Views are loaded by the names that the script has for them.
    const later = [...(await main.text()).matchAll(/"\.\/([\w-]+\.js)"/g)].map(
      ([, name]) => `assets/${name}`,
    );
    const assets = new Set([...atOnce, ...later]);
    for (const kind of [/^assets\/style-/, /^assets\/fleet-/, /^assets\/run-view-/]) {
      expect([...assets]).toContainEqual(expect.stringMatching(kind));
    }
    for (const asset of assets) {
      expect(asset).toMatch(/-(?:[0-9a-f]{16}|[0-9A-Z]{8})\./);
      const { status, headers } = await fetch(`${gateway}/${asset}`);
      expect([status, headers.get('cache-control')]).toEqual([200, 'public, max-age=31536000, immutable']);
      expect(headers.get('content-encoding')).toBe('gzip');
    }
    up.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  } finally {
    up.kill('SIGKILL');
  }
});

/** Reads the lines of the process until it says that it is ready. */
async function addressOf(output: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: output })) {
    const said = JSON.parse(line) as { msg: string; gateway?: string };
    if (said.msg === 'ready') return said.gateway!;
  }
  throw new Error('it ended before it was ready');
}
