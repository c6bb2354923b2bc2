import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, PAGE_WAIT_MS_MAX } from '../support/chromium.ts';
import { type DrawnRun, recordedRun, simulatedRun } from '../support/drawn-run.ts';
import type {} from './drawn-parts/kept.tsx';
import type { Shown } from './drawn-parts/page.tsx';

/** Where to write pictures of what was drawn; nowhere if it is not set. */
const pictures = process.env.RUNLOG_PICTURES;

let script: string;
let style: string;
let browser: Browser;
let page: Page;
let faults: string[] = [];

beforeAll(async () => {
  [browser, script, style] = await Promise.all([
    launchChromium(),
    bundled('./drawn-parts/page.tsx'),
    bundled('../../services/gateway/web/style.css'),
  ]);
});
afterAll(async () => {
  await browser?.close();
});
afterEach(async () => {
  await page?.close();
  expect(faults).toEqual([]);
});

async function bundled(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
    ...{ bundle: true, write: false, format: 'esm', target: 'es2022', logLevel: 'silent' },
    ...{ jsx: 'automatic', jsxImportSource: 'preact' },
  });
  return outputFiles[0]!.text;
}

interface Look {
  readonly width?: number;
  readonly ratio?: number;
  readonly theme?: 'dark' | 'light';
  readonly hasForcedColours?: boolean;
}

async function open(look: Look = {}): Promise<void> {
  faults = [];
  page = await browser.newPage({
    viewport: { width: look.width ?? 1_372, height: 860 },
    deviceScaleFactor: look.ratio ?? 1,
    colorScheme: look.theme ?? 'dark',
    forcedColors: look.hasForcedColours ? 'active' : 'none',
  });
  page.setDefaultTimeout(PAGE_WAIT_MS_MAX);
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  await page.setContent(
    `<!doctype html><html lang="en"><head><title>parts</title></head><body><div id="app"></div></body></html>`,
  );
  await page.addStyleTag({ content: `${style} .harness-side { margin: 0 0 0 auto; max-width: 510px; }` });
  await page.addScriptTag({ content: script, type: 'module' });
  await page.waitForFunction(() => 'harness' in globalThis);
}

interface Harness {
  readonly called: [string, unknown][];
  readonly drawn: { canvases: number };
  show(shown: Shown): void;
  again(): void;
  close(): void;
}
declare const harness: Harness;
declare const kept: Window['kept'];

async function show(run: DrawnRun, overrides: Partial<Shown> = {}): Promise<void> {
  await page.evaluate((shown) => harness.show(shown), {
    ...{ run, window: null, at: null, isLive: true, chosen: null, history: 'complete' as const },
    spark: [1, 3, 2, 5],
    ...overrides,
  });
  await page.locator('.strip canvas').waitFor();
}

const called = (name: string) =>
  page.evaluate((wanted) => harness.called.filter(([by]) => by === wanted).map(([, value]) => value), name);

/** Waits until a part has called back, and returns what with. */
async function nextCall(name: string): Promise<unknown> {
  await page.waitForFunction((wanted) => harness.called.some(([by]) => by === wanted), name);
  const [first] = await called(name);
  await page.evaluate(() => harness.called.splice(0));
  return first;
}

/** Returns how many colours a canvas shows, and the number of its device pixels of a CSS pixel. */
const looked = (selector: string) =>
  page
    .locator(selector)
    .first()
    .evaluate((element) => {
      const canvas = element as HTMLCanvasElement;
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      const pixels = new Uint32Array(data.buffer);
      return { colours: new Set(pixels).size, ratio: canvas.width / canvas.clientWidth };
    });

/** Waits until nothing draws any more, and returns how often canvases were drawn so far. */
async function drawnWhenCalm(): Promise<number> {
  let before = -1;
  await expect
    .poll(async () => {
      const now = await page.evaluate(
        () =>
          new Promise<number>((resolve) => {
            // Longer than the second that charts and lanes may wait.
            setTimeout(() => resolve(harness.drawn.canvases), 1_200);
          }),
      );
      const isCalm = now === before;
      before = now;
      return isCalm;
    })
    .toBe(true);
  return before;
}

async function picture(name: string): Promise<void> {
  if (pictures === undefined) return;
  await mkdir(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
}

const run = simulatedRun();
const someWindow = { fromSeq: 2_200, toSeq: 2_350 };

describe('the drawn parts of a run', () => {
  it.each<[string, DrawnRun, Look, Partial<Shown>]>([
    ['dark', run, {}, { window: someWindow }],
    ['light', run, { theme: 'light' }, { window: someWindow }],
    ['forced colours', run, { hasForcedColours: true }, { window: someWindow }],
    ['double pixels', run, { ratio: 2 }, { window: someWindow }],
    ['narrow', run, { width: 380 }, { window: someWindow, at: 1_200 }],
    ['restarted', simulatedRun({ restartsAt: 500 }), {}, { window: someWindow, isLive: false }],
    ['bands', run, {}, { history: 'cut', chosen: ['val_accuracy', 'total_reward', 'grad_norm', 'loss'] }],
    ['recording of one environment', recordedRun('one-env'), {}, {}],
    ['recording, imported', recordedRun('one-env', { isImported: true }), {}, { isLive: false }],
    ['short recording', recordedRun('short'), {}, { history: 'failed', isLive: false }],
  ])('are drawn at the resolution of the screen: %s', async (name, shownRun, look, overrides) => {
    await open(look);
    await show(shownRun, overrides);
    await expect.poll(() => page.locator('.chart canvas').count()).toBeGreaterThan(1);
    await drawnWhenCalm();
    for (const selector of ['.strip canvas', '.chart canvas', '.lanes canvas']) {
      const { colours, ratio } = await looked(selector);
      expect(colours, selector).toBeGreaterThan(2);
      expect(ratio, selector).toBeCloseTo(look.ratio ?? 1, 1);
    }
    await picture(name);
  });

  it('are not drawn again while nothing changes, nor when the pointer moves, and once when the theme does', async () => {
    await open();
    await show(run);
    const before = await drawnWhenCalm();
    await page.evaluate(() => harness.again());
    await page.locator('.strip-box').hover();
    await page.locator('.chart-box').first().hover();
    expect(await drawnWhenCalm()).toBe(before);
    await page.emulateMedia({ colorScheme: 'light' });
    const after = await drawnWhenCalm();
    // Eight canvases of lines and a layer above the lanes.
    expect(after - before).toBeGreaterThanOrEqual(9);
    expect(after - before).toBeLessThanOrEqual(18);
  });

  it('go away without a trace', async () => {
    await open();
    await show(run);
    await drawnWhenCalm();
    await page.evaluate(() => harness.close());
    expect(await page.locator('canvas, .uplot').count()).toBe(0);
    const before = await drawnWhenCalm();
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 700, height: 500 });
    expect(await drawnWhenCalm()).toBe(before);
  });
});

describe('the strip', () => {
  const box = async () => (await page.locator('.strip-box').boundingBox())!;
  const seqs = { first: run.timeline.first_seq, last: run.head.seq };

  it('travels to what is clicked, and to the end of a drag', async () => {
    await open();
    await show(run, { window: someWindow });
    const { x, y, width, height } = await box();
    await page.mouse.click(x + width * 0.25, y + height / 2);
    const early = (await nextCall('travel')) as number;
    expect(early).toBeGreaterThan(seqs.first);
    expect(early).toBeLessThan(seqs.last * 0.5);
    await page.mouse.click(x + width - 0.5, y + height / 2);
    expect(await nextCall('travel')).toBeGreaterThanOrEqual(seqs.last - 3);
    await page.mouse.move(x + 20, y + 9);
    await page.mouse.down();
    await page.mouse.move(x + width * 0.25, y + 9, { steps: 4 });
    await page.mouse.up();
    expect(await nextCall('travel')).toBe(early);
  });

  it('moves the window that is dragged, once a frame at most', async () => {
    await open();
    await show(run, { window: { fromSeq: 2_000, toSeq: 2_400 } });
    await drawnWhenCalm();
    const { x, y, width, height } = await box();
    const at = await page.evaluate(() =>
      Number(document.querySelector('.strip-box')!.getAttribute('aria-valuemax')),
    );
    expect(at).toBe(seqs.last);
    // Somewhere inside the window, which lies at about two thirds.
    const inside = x + width * fractionOf(2_200);
    await page.mouse.move(inside, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(inside - width * 0.3, y + height / 2, { steps: 5 });
    await page.mouse.up();
    await expect.poll(async () => (await called('window')).length).toBeGreaterThan(0);
    await expect.poll(async () => (await called('window')).at(-1) as number).toBeLessThan(1_900);
    expect(await called('travel')).toEqual([]);
  });

  it('is a slider for the keyboard, and says where it is', async () => {
    await open();
    await show(run, { at: 1_500 });
    const slider = page.locator('.strip').getByRole('slider');
    await slider.focus();
    for (const [key, isRight] of [
      ['ArrowLeft', (seq: number) => seq < 1_500 && seq > 1_300],
      ['ArrowRight', (seq: number) => seq > 1_500 && seq < 1_700],
      ['PageUp', (seq: number) => seq > 1_600],
      ['Home', (seq: number) => seq === seqs.first],
      ['End', (seq: number) => seq === seqs.last],
    ] as const) {
      await page.keyboard.press(key);
      expect(isRight((await nextCall('travel')) as number), key).toBe(true);
    }
    expect(await slider.getAttribute('aria-valuenow')).toBe('1500');
    expect(await slider.getAttribute('aria-valuetext')).toMatch(
      /^Fri 27 Nov 2026 07:\d\d:\d\d UTC, event [\d,]+ of 1,0\d\d$/,
    );
    await show(run, { at: null });
    await expect.poll(() => slider.getAttribute('aria-valuetext')).toMatch(/, live$/);
  });
});

describe('lanes and charts', () => {
  it('open the life that is clicked, by pointer and by keyboard', async () => {
    await open();
    await show(run);
    await drawnWhenCalm();
    const lanes = page.getByRole('listbox');
    await lanes.focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    const text = await page.getByRole('option').textContent();
    expect(text).toMatch(/^e00 r0c0 · \w+ · (fossilised|pruned|replaced|abandoned|\w+)/);
    await page.keyboard.press('Enter');
    const life = (await nextCall('life')) as { env: number; slot: string; fromSeq: number; toSeq: number };
    expect(life).toMatchObject({ env: 0, slot: 'r0c0' });
    expect(life.toSeq).toBeGreaterThan(life.fromSeq);
    const { x, y, width } = (await lanes.boundingBox())!;
    const middle = (fractionOf(life.fromSeq) + fractionOf(life.toSeq)) / 2;
    await page.mouse.click(x + width * middle, y + 7);
    expect(await nextCall('life')).toEqual(life);
  });

  it('lead from a point of a chart to its place, and show one cursor', async () => {
    await open();
    await show(run);
    await drawnWhenCalm();
    const accuracy = page.locator('.chart[data-figure="accuracy"]');
    const { x, y, width, height } = (await accuracy.locator('.chart-plot').boundingBox())!;
    const last = await accuracy.locator('.chart-value').textContent();
    await page.mouse.move(x + width / 2, y + height / 2);
    await expect.poll(() => accuracy.locator('.chart-value').textContent()).not.toBe(last);
    await expect.poll(() => page.locator('.strip .cursor-line').isVisible()).toBe(true);
    await expect.poll(() => page.locator('.lanes .cursor-line').isVisible()).toBe(true);
    const strip = (await page.locator('.strip-box').boundingBox())!;
    const line = (await page.locator('.strip .cursor-line').boundingBox())!;
    expect((line.x - strip.x) / strip.width).toBeCloseTo(0.5, 1);
    await page.mouse.click(x + width / 2, y + height / 2);
    const place = (await nextCall('place')) as { name: string; seq: number; atMs: number; value: number };
    expect(place.name).toBe('accuracy');
    const { t, last: values } = run.figures.figures.find(({ name }) => name === 'accuracy')!;
    expect(values[t.indexOf(place.atMs)]).toBe(place.value);
    expect(Math.abs(fractionOf(place.seq) - 0.5)).toBeLessThan(0.05);
    await page.mouse.move(0, 0);
    await expect.poll(() => page.locator('.strip .cursor-line').isVisible()).toBe(false);
  });

  it('take new values into the same plots, at most once a second', async () => {
    await open();
    await show(simulatedRun({ events: 900 }));
    await drawnWhenCalm();
    const plots = await page.locator('.uplot').elementHandles();
    const head = page.locator('.chart[data-figure="accuracy"] .chart-value');
    const before = await head.textContent();
    await show(run);
    await expect.poll(() => head.textContent()).not.toBe(before);
    for (const plot of plots) expect(await plot.evaluate((element) => element.isConnected)).toBe(true);
    const counted = await drawnWhenCalm();
    const changes = 40;
    const startedMs = Date.now();
    for (let change = 0; change < changes; change += 1) {
      await show({ ...run, figures: { ...run.figures }, timeline: { ...run.timeline } });
    }
    const seconds = (Date.now() - startedMs) / 1_000;
    const drawnSince = (await drawnWhenCalm()) - counted;
    // The strip is drawn with each change of its input; charts and lanes once a second.
    expect(drawnSince).toBeLessThanOrEqual(changes + (Math.ceil(seconds) + 2) * 20);
  });

  it('let other figures be chosen, and the usual ones again', async () => {
    await open();
    await show(run);
    await page.locator('.charts-choice summary').click();
    await page.getByLabel('gradient norm').check();
    expect(await nextCall('choose')).toEqual([
      ...['accuracy', 'reward', 'entropy', 'clip_fraction', 'kl_divergence', 'events/s', 'grad_norm'],
    ]);
    await show(run, { chosen: ['grad_norm', 'of another run'] });
    await expect.poll(() => page.locator('.chart').count()).toBe(2);
    await page.getByText('no values yet').waitFor();
    await page.getByRole('button', { name: 'The usual ones' }).click();
    expect(await nextCall('choose')).toBeNull();
  });

  it('say what is left out, and let a failed reading be tried again', async () => {
    await open();
    await show(run, { history: 'cut' });
    await page.getByText('Older seeds are left out.').waitFor();
    await show(run, { history: 'failed' });
    await page.getByRole('button', { name: 'Try again' }).click();
    expect(await nextCall('retry')).toBeNull();
  });
});

describe('a sparkline', () => {
  it('is written again only if a value has changed', async () => {
    await open();
    await show(run);
    const path = page.locator('.spark path');
    const changes = () =>
      page.evaluate(() => (globalThis as unknown as { sparkChanges: number }).sparkChanges);
    await path.evaluate((element) => {
      const counter = globalThis as unknown as { sparkChanges: number };
      counter.sparkChanges = 0;
      new MutationObserver((records) => {
        counter.sparkChanges += records.length;
      }).observe(element, { attributes: true });
    });
    await show(run, { spark: [1, 3, 2, 5] });
    expect(await changes()).toBe(0);
    await show(run, { spark: [1, 3, 2, 6] });
    await expect.poll(changes).toBe(1);
  });
});

describe('a list that draws itself again and again', () => {
  it('keeps nothing of what it drew before', async () => {
    page = await browser.newPage();
    await page.setContent('<!doctype html><html lang="en"><body><div id="app"></div></body></html>');
    await page.addScriptTag({ content: await bundled('./drawn-parts/kept.tsx'), type: 'module' });
    await page.waitForFunction(() => 'kept' in globalThis);
    expect(await page.evaluate(() => kept.draw(300))).toBe(40);
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('HeapProfiler.collectGarbage');
    // The newest rows, and the few that something on its way may hold.
    expect(await page.evaluate(() => kept.held())).toBeLessThanOrEqual(40 + 10);
  });
});

/** Returns where on the axis of `run` an offset is, by the times of its landmarks. */
function fractionOf(seq: number): number {
  const { landmarks } = run.timeline;
  const startMs = Date.parse(landmarks[0]![2]);
  const points = [
    ...landmarks.map(([at, , time]) => [at, Date.parse(time)] as const),
    [run.head.seq, run.head.receivedAtMs] as const,
  ];
  const above = Math.max(
    1,
    points.findIndex(([at]) => at >= seq),
  );
  const [[from, fromMs], [to, toMs]] = [points[above - 1]!, points[above]!];
  const ms = fromMs + ((seq - from) / Math.max(1, to - from)) * (toMs - fromMs);
  return (ms - startMs) / (run.head.receivedAtMs - startMs);
}
