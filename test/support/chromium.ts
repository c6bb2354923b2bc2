import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';

const run = promisify(execFile);

/** A browser may take this long to start on a busy machine. */
export const LAUNCH_MS_MAX = 120_000;
/** The bound of every wait of a page, unless it names another. */
export const PAGE_WAIT_MS_MAX = 60_000;

/**
 * Launches a headless Chromium: the one that `RUNLOG_CHROMIUM` names, else one that is installed on this machine, else
 * the one from npm (@sparticuz/chromium), which brings its own shared libraries and is unpacked into ~/.cache/runlog.
 * `env` is added to its environment, `args` to its arguments.
 */
export async function launchChromium(
  options: { env?: Readonly<Record<string, string>>; args?: readonly string[] } = {},
): Promise<Browser> {
  const installed = process.env.RUNLOG_CHROMIUM ?? (await findInstalled(CHROMIUMS));
  const { executablePath, env } =
    installed === null ? await unpackFromPackage() : { executablePath: installed, env: {} };
  return chromium.launch({
    executablePath,
    env: { ...process.env, ...env, ...options.env },
    headless: true,
    timeout: LAUNCH_MS_MAX,
    // Containers rarely allow Chromium's sandbox, and we trust the page under test.
    args: [
      '--no-sandbox',
      '--no-zygote',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--font-render-hinting=none',
      ...(options.args ?? []),
    ],
  });
}

const CHROMIUMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The path of the first of these commands that this machine has. */
export async function findInstalled(names: readonly string[]): Promise<string | null> {
  for (const name of names) {
    try {
      return (await run('sh', ['-c', 'command -v "$0"', name])).stdout.trim();
    } catch {
      // This one does not exist; try the next.
    }
  }
  return null;
}

/** Unpacks the package once per machine. A folder that another process is still writing is never used. */
async function unpackFromPackage(): Promise<{ executablePath: string; env: Record<string, string> }> {
  const manifest = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  const { devDependencies } = JSON.parse(manifest) as { devDependencies: Record<string, string> };
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'runlog');
  const folder = join(cache, `chromium-${devDependencies['@sparticuz/chromium']}`);
  if (!existsSync(folder)) {
    await mkdir(cache, { recursive: true });
    const partial = await mkdtemp(`${folder}-partial-`);
    try {
      // The package unpacks into the system's temporary folder, wherever that is.
      await run(process.execPath, ['--input-type=module', '--eval', UNPACK], {
        cwd: fileURLToPath(new URL('.', import.meta.url)),
        env: { ...process.env, ...PACKAGE_ENVIRONMENT, TMPDIR: partial },
      });
      // The package's own font configuration names folders below /tmp.
      await writeFile(join(partial, 'fonts', 'fonts.conf'), fontsIn(folder));
      await rename(partial, folder);
    } catch (error) {
      await rm(partial, { recursive: true, force: true });
      // Another process may have put the folder in place meanwhile.
      if (!existsSync(folder)) throw error;
    }
  }
  const libraries = join(folder, 'al2023', 'lib');
  return {
    executablePath: join(folder, 'chromium'),
    env: { LD_LIBRARY_PATH: libraries, FONTCONFIG_PATH: join(folder, 'fonts') },
  };
}

/** The package reads this when it is loaded, and then unpacks the shared libraries too. */
const PACKAGE_ENVIRONMENT = { AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' };
const UNPACK = `import chromium from '@sparticuz/chromium'; await chromium.executablePath();`;

function fontsIn(folder: string): string {
  const places = `<dir>${folder}/fonts</dir><cachedir>${folder}/fonts-cache</cachedir>`;
  return `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>${places}</fontconfig>\n`;
}
