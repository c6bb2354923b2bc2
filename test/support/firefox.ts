import { fileURLToPath } from 'node:url';
import { type Browser, firefox } from 'playwright-core';
import { findInstalled, LAUNCH_MS_MAX } from './chromium.ts';

/** The Firefox of this machine: the one that `RUNLOG_FIREFOX` names, else one on the path; null where there is none. */
export async function findFirefox(): Promise<string | null> {
  return process.env.RUNLOG_FIREFOX ?? (await findInstalled(['firefox', 'firefox-esr']));
}

/** Launches a headless Firefox, which is driven over WebDriver BiDi. */
export async function launchFirefox(executable: string): Promise<Browser> {
  return firefox.launch({
    // Playwright brings a Firefox of its own, unless it is told that this is one of Mozilla's.
    channel: 'moz-firefox',
    executablePath: fileURLToPath(new URL('firefox-bridge.js', import.meta.url)),
    env: { ...process.env, RUNLOG_FIREFOX: executable },
    headless: true,
    timeout: LAUNCH_MS_MAX,
  });
}
