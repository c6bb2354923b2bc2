import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';

const run = promisify(execFile);

/**
 * A headless Chromium: the one of `RUNLOG_CHROMIUM`, else one of this machine, else the one that npm installed
 * (@sparticuz/chromium), which brings its own shared libraries and unpacks into the system's temporary folder.
 */
export async function launchChromium(): Promise<Browser> {
  const installed = process.env.RUNLOG_CHROMIUM ?? (await findInstalled());
  return chromium.launch({
    executablePath: installed ?? (await unpackFromPackage()),
    headless: true,
    // Containers rarely allow Chromium's sandbox, and the page under test is ours.
    args: [
      '--no-sandbox',
      '--no-zygote',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--font-render-hinting=none',
    ],
  });
}

async function findInstalled(): Promise<string | null> {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']) {
    try {
      return (await run('sh', ['-c', 'command -v "$0"', name])).stdout.trim();
    } catch {
      // Not this one.
    }
  }
  return null;
}

async function unpackFromPackage(): Promise<string> {
  // Read when the package is loaded: it then unpacks the shared libraries too.
  process.env.AWS_EXECUTION_ENV ??= 'AWS_Lambda_nodejs22.x';
  const { default: packaged } = await import('@sparticuz/chromium');
  return packaged.executablePath();
}
