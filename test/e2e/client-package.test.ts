import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, PAGE_WAIT_MS_MAX } from '../support/chromium.ts';
import { noteText } from '../support/embedded-ingest.ts';
import { freePort } from '../support/free-ports.ts';
import { ServiceProcess } from '../support/service-process.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const fromRoot = (path: string) => join(root, path);
const KEY = 'local/r1/default';
/** More than the event log of a run holds, so that the beginning comes out of the history. */
const EVENTS = 301;
/** Node 20 has a WebSocket only behind a flag. */
const flags = Number(process.versions.node.split('.')[0]) < 22 ? ['--experimental-websocket'] : [];

let folder: string;
let data: string;
let up: ServiceProcess;
let site: Server;
let origin: string;
/** The browser's bundle of a consumer. */
let script = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-consumer-'));
  data = await mkdtemp(join(tmpdir(), 'runlog-data-'));
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  site = createServer((request, response) => {
    const isScript = request.url === '/consumer.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(
      isScript ? script : '<!doctype html><title>x</title><script type="module" src="/consumer.js"></script>',
    );
  }).listen(port, '127.0.0.1');
  up = await ServiceProcess.start('up', { RUNLOG_DATA_DIR: data, RUNLOG_ALLOWED_ORIGINS: origin });
  const lines = Array.from({ length: EVENTS }, (_, at) =>
    noteText({
      event_id: `e-${at}`,
      event_type: at === EVENTS - 1 ? 'RUN_FINISHED' : 'NOTE',
      data: { loss: at },
    }),
  );
  const response = await fetch(`${up.addresses.ingest}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  expect(await response.json()).toMatchObject({ accepted: EVENTS });

  const tarball = ['run', '-s', 'tarball', '-w', 'packages/client', '--', '--pack-destination', folder];
  await run('npm', tarball, { cwd: root });
  await writeFile(join(folder, 'package.json'), '{"name":"consumer","private":true,"type":"module"}');
  const install = ['install', '--offline', '--no-audit', '--no-fund', './runlog-client-0.1.0.tgz'];
  await run('npm', install, { cwd: folder });
});

afterAll(async () => {
  site?.close();
  await up?.end('SIGKILL');
  await Promise.all([folder, data].map((each) => rm(each, { recursive: true, force: true })));
});

/** The programs of the README, with the address of the gateway and the run of this test. */
async function examples(): Promise<string[]> {
  const readme = await readFile(join(folder, 'node_modules/@runlog/client/README.md'), 'utf8');
  return [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, text]) =>
    text!
      .replaceAll('http://127.0.0.1:8080', up.addresses.gateway!)
      .replaceAll('c1/r1/default', KEY)
      .replaceAll('c1/*', 'local/*'),
  );
}

/** Checks the types of files in the consumer's folder, and of the package's own. */
async function checkTypes(files: readonly string[]): Promise<void> {
  const options = {
    ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true, checkJs: true },
    ...{
      target: 'es2022',
      module: 'nodenext',
      lib: ['es2022', 'dom', 'dom.iterable', 'esnext.asynciterable'],
      types: [],
    },
  };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files }));
  const compiler = fromRoot('node_modules/typescript/bin/tsc');
  await run(process.execPath, [compiler, '-p', folder]).catch((error: { stdout?: string }) => {
    throw new Error(error.stdout);
  });
}

describe('the package of the client', () => {
  it('holds one module, its types and a README, and needs no other package', async () => {
    const place = join(folder, 'node_modules/@runlog/client');
    const manifest = JSON.parse(await readFile(join(place, 'package.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    expect(manifest.dependencies).toBeUndefined();
    const module = await readFile(join(place, 'index.js'), 'utf8');
    expect(module).not.toMatch(/^import|\bzod\b|require\(/m);
    expect(module.length).toBeLessThan(70_000);
    const { stdout } = await run('npm', ['ls', '--all', '--parseable'], { cwd: folder });
    expect(stdout.trim().split('\n')).toHaveLength(2);
  });

  it('exports what is there, in the tarball and in the workspace', async () => {
    for (const place of [join(folder, 'node_modules/@runlog/client'), fromRoot('packages/client')]) {
      const manifest = JSON.parse(await readFile(join(place, 'package.json'), 'utf8')) as {
        exports: Record<string, string | Record<string, string>>;
      };
      for (const target of Object.values(manifest.exports).flatMap((to) =>
        typeof to === 'string' ? [to] : Object.values(to),
      )) {
        // A star stands for any module of ours.
        expect(existsSync(join(place, target.replace('*', 'stream-client'))), target).toBe(true);
      }
    }
    const imported = async (from: string, name: string) => {
      const program = `import(${JSON.stringify(name)}).then(({ createStreamClient }) => console.log(typeof createStreamClient), ({ code }) => console.log(code))`;
      const { stdout } = await run(
        process.execPath,
        ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', program],
        { cwd: from },
      );
      return stdout.trim();
    };
    const notExported = 'ERR_PACKAGE_PATH_NOT_EXPORTED';
    expect(await imported(folder, '@runlog/client')).toBe('function');
    expect(await imported(folder, '@runlog/client/stream-client')).toBe(notExported);
    expect(await imported(root, '@runlog/client/stream-client')).toBe('function');
    expect(await imported(root, '@runlog/client')).toBe(notExported);
  });

  it('is not packed from the source, which nobody could import', async () => {
    const packed = run('npm', ['pack', '-w', 'packages/client', '--dry-run'], { cwd: root });
    await expect(packed).rejects.toThrow('npm run tarball -w packages/client');
  });

  it('runs the programs of the README in Node, which pass a type check', async () => {
    // In Node 20, a program of the README takes the socket of `ws`; its types stay ours.
    await cp(fromRoot('node_modules/ws'), join(folder, 'node_modules/ws'), { recursive: true });
    await symlink(fromRoot('node_modules/@types'), join(folder, 'node_modules/@types'));
    const programs = await examples();
    expect(programs).toHaveLength(4);
    const files = programs.map((_, at) => `example-${at}.mjs`);
    await Promise.all(programs.map((text, at) => writeFile(join(folder, files[at]!), text)));
    await checkTypes(files);
    const outputs: string[] = [];
    for (const file of files) {
      const { stdout, stderr } = await run(process.execPath, [...flags, file], { cwd: folder });
      expect(stderr.replace(/.*ExperimentalWarning.*\n.*\n/, '')).toBe('');
      outputs.push(stdout);
    }
    const [first, second, third] = outputs.map((text) => text.trim().split('\n'));
    expect(first!.filter((line) => line.includes('NOTE'))).toHaveLength(EVENTS - 1);
    expect(first!.at(-1)).toBe('the run has finished');
    expect(second).toEqual(['connection: connecting', 'connection: open', 'connection: closed']);
    expect(third).toEqual(['1 runs; the newest is r1', 'NOTE.loss 299']);
  });

  it('type-checks a TypeScript consumer, and refuses what is wrong', async () => {
    const consumer = `
      import { ChannelRefusedError, createStreamClient, type RunUpdate } from '@runlog/client';
      const client = createStreamClient({ url: 'ws://localhost/v1/stream', webSocket: WebSocket, fetch });
      export async function follow(signal: AbortSignal): Promise<number> {
        let seq = -1;
        try {
          for await (const update of client.run('a/b/c', { signal, filter: { severity: ['error'] } })) seq = last(update) ?? seq;
        } catch (error) {
          if (error instanceof ChannelRefusedError) console.log(error.code);
        }
        return seq;
      }
      function last(update: RunUpdate): number | undefined {
        switch (update.kind) {
          case 'snapshot':
          case 'step':
            return update.entries.at(-1)?.seq;
          case 'gap':
            return update.before - 1;
          case 'end':
            return undefined;
        }
      }
      // @ts-expect-error there is no such severity
      client.run('a/b/c', { filter: { severity: ['bad'] } });
      client.subscribeIndex('*', (update) => {
        if (update.kind === 'rows') console.log(update.counts.running, update.rows[0]?.state);
      }, { status: ['failed'] });
    `;
    await writeFile(join(folder, 'consumer.mts'), consumer);
    await checkTypes(['consumer.mts']);
  });

  it('follows a run from a page of another origin, in a browser', async () => {
    const consumer = `
      import { createStreamClient } from '@runlog/client';
      const client = createStreamClient({ url: ${JSON.stringify(up.addresses.gateway)} });
      const seqs = [];
      for await (const update of client.run(${JSON.stringify(KEY)}, { from: 'beginning' })) {
        if (update.kind === 'end') break;
        seqs.push(...(update.kind === 'gap' ? ['gap'] : update.entries.map((entry) => entry.metadata.event_id)));
      }
      client.close();
      globalThis.seen = seqs;
    `;
    const { outputFiles } = await build({
      stdin: { contents: consumer, resolveDir: folder },
      ...{ bundle: true, platform: 'browser', format: 'esm', target: 'es2022', write: false, minify: true },
    });
    script = outputFiles[0]!.text;
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      await page.goto(origin);
      const seen = await page.waitForFunction(() => (globalThis as { seen?: unknown[] }).seen, null, {
        timeout: PAGE_WAIT_MS_MAX,
      });
      expect(await seen.jsonValue()).toEqual(Array.from({ length: EVENTS }, (_, at) => `e-${at}`));
    } finally {
      await browser.close();
    }
  });
});
