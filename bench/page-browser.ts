import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { launchChromium } from '../test/support/chromium.ts';
import { rounded } from './benchmark.ts';
import { percentile } from './rounds.ts';

const RECORDER = fileURLToPath(new URL('page-recorder.js', import.meta.url));
const VIEWPORT = { width: 1_400, height: 900 };
const FIRST_ROW_POLL_MS = 20;
const SETTLE_MS = 500;
const MIB = 2 ** 20;

interface Recorded {
  readonly frames: readonly number[];
  readonly longTasks: readonly number[];
  /** When the row of each probe was in the document, at the next frame; null if that frame has not come. */
  readonly probes: Readonly<Record<string, number | null>>;
  readonly keys: readonly { letterMs: number | null; rowsMs: number | null }[];
  readonly firstRowMs: number | null;
}

/** A page in a real browser that writes down its frames. `RUNLOG_BENCH_PROFILES=folder` keeps a CPU profile of what is measured. */
export class RecordedPage implements AsyncDisposable {
  readonly page: Page;
  readonly #browser: Browser;
  readonly #devtools: CDPSession;

  private constructor(browser: Browser, opened: { page: Page; devtools: CDPSession }) {
    this.#browser = browser;
    this.page = opened.page;
    this.#devtools = opened.devtools;
  }

  static async open(): Promise<RecordedPage> {
    const browser = await launchChromium();
    const page = await browser.newPage({ viewport: VIEWPORT });
    await page.addInitScript({ path: RECORDER });
    const devtools = await page.context().newCDPSession(page);
    return new RecordedPage(browser, { page, devtools });
  }

  /** Goes to an address as if for the first time. */
  async goTo(url: string): Promise<void> {
    await this.page.goto('about:blank');
    await this.page.goto(url);
  }

  /** Waits for the first row of the fleet. Returns how long it took from when the address was entered. */
  async firstRowMs(): Promise<number> {
    for (;;) {
      const { firstRowMs } = await this.recorded();
      if (firstRowMs !== null) return firstRowMs;
      await delay(FIRST_ROW_POLL_MS);
    }
  }

  recorded(): Promise<Recorded> {
    return this.page.evaluate('JSON.parse(JSON.stringify(recorder))');
  }

  /** Writes down what happens while `work` runs. */
  async during<Value>(
    name: string,
    work: () => Promise<Value>,
  ): Promise<{ value: Value; recorded: Recorded }> {
    const profiles = process.env.RUNLOG_BENCH_PROFILES;
    if (profiles !== undefined) {
      await this.#devtools.send('Profiler.enable');
      await this.#devtools.send('Profiler.start');
    }
    // A collection that was asked for before is told late, and is none of what is measured.
    await delay(SETTLE_MS);
    await this.page.evaluate('recorder.reset()');
    const value = await work();
    const recorded = await this.recorded();
    if (profiles !== undefined) {
      const { profile } = await this.#devtools.send('Profiler.stop');
      await writeFile(join(profiles, `page-${name}.cpuprofile`), JSON.stringify(profile));
    }
    return { value, recorded };
  }

  /** MiB in use after a full collection. */
  async heapMib(): Promise<number> {
    await this.#devtools.send('HeapProfiler.collectGarbage');
    const { usedSize } = await this.#devtools.send('Runtime.getHeapUsage');
    return rounded(usedSize / MIB);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

/** The frames and the long tasks of what was recorded, in milliseconds. */
export function smoothness({ frames, longTasks }: Recorded) {
  const sorted = [...frames].sort((a, b) => a - b);
  return {
    frames: frames.length,
    frame_p50_ms: rounded(percentile(sorted, 0.5)),
    frame_p99_ms: rounded(percentile(sorted, 0.99)),
    frame_longest_ms: rounded(sorted.at(-1) ?? 0),
    long_tasks: longTasks.length,
    longest_task_ms: rounded(Math.max(0, ...longTasks)),
  };
}

/** From when a probe was due to be posted until a frame came with its row in the document. */
export function eventToPixel(due: Readonly<Record<string, number>>, { probes }: Recorded) {
  const taken = Object.entries(due).flatMap(([probe, dueMs]) => {
    const atMs = probes[probe] ?? null;
    return atMs === null ? [] : [atMs - dueMs];
  });
  const sorted = taken.sort((a, b) => a - b);
  return {
    probes: Object.keys(due).length,
    probes_not_drawn: Object.keys(due).length - taken.length,
    p50_ms: rounded(percentile(sorted, 0.5)),
    p95_ms: rounded(percentile(sorted, 0.95)),
  };
}
