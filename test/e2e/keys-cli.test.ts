import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../support/cli-process.ts';
import { ServiceProcess } from '../support/service-process.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-keys-'));
  path = join(folder, 'keys.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const keys = (...args: string[]) => runCli(['keys', ...args], { RUNLOG_KEYS_FILE: path });

describe('runlog keys', () => {
  it('adds keys, shows each once, keeps only digests in a private file, lists and revokes', async () => {
    const publish = await keys('add', 'c1-ingest', '--publish', 'c1', '--events-per-second', '20000');
    const view = await keys('add', 'ops', '--view', 'c1/*, c2/resnet-*');
    expect([publish.code, view.code]).toEqual([0, 0]);
    expect(publish.stdout).toMatch(/^rlk_[\w-]{43}\n$/);
    const text = await readFile(path, 'utf8');
    for (const { stdout } of [publish, view]) expect(text).not.toContain(stdout.trim());
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(text)).toMatchObject({
      keys: [
        { id: 'c1-ingest', role: 'publish', cluster: 'c1', events_per_second: 20_000 },
        { id: 'ops', role: 'view', runs: ['c1/*', 'c2/resnet-*'] },
      ],
    });
    const listed = await keys('list');
    expect(listed.stdout).toContain('c1-ingest  publish  c1, 20000 events/s');
    expect((await keys('list', '--json')).stdout).not.toContain('sha256');
    expect((await keys('revoke', 'ops')).code).toBe(0);
    expect((await keys('list')).stdout).not.toContain('ops');
  });

  it('opens a whole system to holders of keys, including the command line, on any address', async () => {
    const publish = (await keys('add', 'c7-ingest', '--publish', 'c7')).stdout.trim();
    const view = (await keys('add', 'ops', '--view', 'c7/*')).stdout.trim();
    await using up = await ServiceProcess.start('up', {
      RUNLOG_DATA_DIR: join(folder, 'data'),
      RUNLOG_KEYS_FILE: path,
      RUNLOG_INGEST_HOST: '0.0.0.0',
      RUNLOG_GATEWAY_HOST: '0.0.0.0',
    });
    const urls = {
      RUNLOG_INGEST_URL: up.addresses.ingest!.replace('0.0.0.0', '127.0.0.1'),
      RUNLOG_GATEWAY_URL: up.addresses.gateway!.replace('0.0.0.0', '127.0.0.1'),
    };
    const simulate = ['simulate', '--runs', '4', '--rate', '100', '--seconds', '2'];
    const refused = await runCli(simulate, urls);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('RUNLOG_KEY')]);
    expect((await runCli(simulate, { ...urls, RUNLOG_KEY: publish })).code).toBe(0);
    const runs = async (key: string) => runCli(['runs', '--json'], { ...urls, RUNLOG_KEY: key });
    await expect.poll(async () => (await runs(view)).stdout).toContain('"cluster_id":"c7"');
    expect((await runs(publish)).code).toBe(1);
    const [row] = (await runs(view)).stdout.split('\n');
    const { cluster_id, run_id, group_id } = JSON.parse(row!) as Record<string, string>;
    const run = `${cluster_id}/${run_id}/${group_id}`;
    const shown = await runCli(['show', run], { ...urls, RUNLOG_KEY: view });
    expect([shown.code, shown.stdout]).toEqual([0, expect.stringContaining(run)]);
    await keys('revoke', 'ops');
    await expect.poll(async () => (await runs(view)).code).toBe(1);
    expect(await up.end('SIGTERM')).toBe(0);
  });
});
