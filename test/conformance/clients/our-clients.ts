import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser } from 'playwright-core';
import type { ClientStarter } from '../client-under-test.ts';
import { processClient } from '../process-client.ts';
import type { MutantName } from './mutants.ts';

const sourceOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

export interface NodeClients extends AsyncDisposable {
  /** Starts our client in Node, or a mutant of it. */
  starter(mutant?: MutantName): ClientStarter;
}

/** Bundles our client for Node into one file, so that a start takes no compiler. */
export async function nodeClients(): Promise<NodeClients> {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-conformance-'));
  const file = join(folder, 'node-client.cjs');
  await writeFile(file, await bundled('node-client.ts', 'node'));
  return {
    starter: (mutant) =>
      processClient([process.execPath, file, mutant ?? ''].map((word) => JSON.stringify(word)).join(' ')),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Starts our client in a page of this browser. */
export async function pageClient(browser: Browser): Promise<ClientStarter> {
  const script = await bundled('page-client.ts', 'browser');
  return {
    pages: new Map([
      ['/', { type: 'text/html', body: '<!doctype html><title>client</title>' }],
      ['/client.js', { type: 'text/javascript', body: script }],
    ]),
    start: async ({ origin, onReport, onExit }) => {
      const context = await browser.newContext();
      const page = await context.newPage();
      page.on('pageerror', (error) => onExit(`the page failed: ${error.message}`));
      await page.goto(origin);
      await page.exposeFunction('report', onReport);
      await page.addScriptTag({ url: '/client.js' });
      return {
        tell: (command) => {
          page
            .evaluate((told) => globalThis.conformance.tell(told as never), command)
            .catch((error: unknown) => onExit(String(error)));
        },
        stop: () => context.close(),
      };
    },
  };
}

async function bundled(name: string, platform: 'node' | 'browser'): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [sourceOf(name)],
    bundle: true,
    write: false,
    format: platform === 'node' ? 'cjs' : 'iife',
    platform,
    target: platform === 'node' ? 'node20' : 'es2023',
  });
  return outputFiles[0]!.text;
}
