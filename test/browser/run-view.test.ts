import type { MadeUpEvent } from '@runlog/gateway/made-up/made-up-runs';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { pageTests } from '../support/page-tests.ts';
import { type PastGateway, startPastGateway } from '../support/past-gateway.ts';

const RUN = 'c1/sim-261127-0710-7-002';
const [A, B] = [`${RUN}/A`, `${RUN}/B`] as const;

const tests = pageTests();
let page: Page;

/** A run of some rounds: its start, then seeds, epochs, updates and rounds, one event each half a second until now. */
function run(of: { rounds?: number; data?: Readonly<Record<string, unknown>> } = {}): MadeUpEvent[] {
  const { rounds = 40, data = {} } = of;
  const events: MadeUpEvent[] = [
    { eventType: 'TRAINING_STARTED', data: { max_batches: 60, n_envs: 4, ...data } },
  ];
  for (let round = 1; round <= rounds; round += 1) {
    const slot_id = `r0c${round % 4}`;
    events.push(
      { eventType: 'SEED_GERMINATED', data: { slot_id, blueprint_id: 'conv_light' } },
      { eventType: 'EPOCH_COMPLETED', data: { val_accuracy: 60 + round / 2 } },
      { eventType: round % 2 === 0 ? 'SEED_FOSSILIZED' : 'SEED_PRUNED', data: { slot_id } },
      {
        eventType: 'PPO_UPDATE_COMPLETED',
        data: { clip_fraction: 0.23, kl_divergence: 0.012, entropy: 0.92 },
      },
      {
        eventType: 'BATCH_EPOCH_COMPLETED',
        data: {
          ...{ batch_idx: round, episodes_completed: round * 4, total_episodes: 240, n_envs: 4 },
          ...{ avg_accuracy: 60 + round / 2, avg_reward: 0.03 },
        },
      },
    );
  }
  return events.map((event, at) => ({ ...event, receivedAtMs: Date.now() - (events.length - at) * 500 }));
}

async function open(url: string, viewport = { width: 1_400, height: 900 }): Promise<Page> {
  page = await tests.open(url, { context: { viewport } });
  return page;
}

async function gatewayWith(...keys: readonly string[]): Promise<PastGateway> {
  const gateway = await startPastGateway();
  for (const key of keys) gateway.append(key, run());
  return gateway;
}

const hash = () => page.evaluate('location.hash') as Promise<string>;
const fact = (name: string) =>
  page
    .locator('.fact')
    .filter({ has: page.getByText(name, { exact: true }) })
    .locator('dd');
/** The number of rows of the log that are wholly in view. */
const linesInView = () =>
  page.evaluate(`(() => {
    const box = document.querySelector('.lines').getBoundingClientRect();
    const head = document.querySelector('.line-date-head')?.getBoundingClientRect().bottom ?? 0;
    return [...document.querySelectorAll('.lines .line')].filter((line) => {
      const { top, bottom } = line.getBoundingClientRect();
      return top >= Math.max(box.top, head) - 1 && bottom <= Math.min(box.bottom, innerHeight) + 1;
    }).length;
  })()`) as Promise<number>;

describe('the view of a run', () => {
  it('has the name, the state with its evidence, the tags, and the figures in one line', async () => {
    await using gateway = await gatewayWith(A);
    await using _ = await open(`${gateway.url}/#${A}`);
    await page.getByRole('heading', { name: 'c1 / sim-261127-0710-7-002' }).waitFor();
    await expect
      .poll(() => page.locator('.standing').textContent())
      .toMatch(/^● running last event .* ago · usually every 0\.5 s$/);
    expect(await page.locator('.tags .tag').allTextContents()).toContainEqual(
      expect.stringMatching(/^4 envs/),
    );
    await expect.poll(() => fact('round').textContent()).toBe('40/60');
    expect(await fact('ep').textContent()).toBe('160/240');
    expect(await fact('acc').textContent()).toBe('80.0% ▲0.5');
    expect(await fact('clip').textContent()).toBe('23%');
    expect(await fact('clip').getAttribute('class')).toBe('warn');
    expect(await fact('foss').textContent()).toBe('20');
    const tops = await page
      .locator('.fact')
      .evaluateAll((facts) => facts.map((each) => (each as { offsetTop: number } & typeof each).offsetTop));
    expect(new Set(tops).size).toBe(1);
    await expect.poll(() => page.title()).toBe('● running · sim-261127-0710-7-002 A · runlog');
  });

  it('says in its title and in a line of its own that and why the run failed', async () => {
    await using gateway = await gatewayWith('c1/run-7/default');
    await using _ = await open(`${gateway.url}/#c1/run-7/default`);
    await page.locator('.line').first().waitFor();
    gateway.append('c1/run-7/default', [
      { eventType: 'RUN_FAILED', data: { reason: 'loss is NaN\n\u202egnp.exe' }, receivedAtMs: Date.now() },
    ]);
    await page.locator('.reason-failed').filter({ hasText: 'loss is NaN␊<202E>gnp.exe' }).waitFor();
    await expect.poll(() => page.title()).toBe('✗ failed · run-7 · runlog');
  });

  it('goes to the other group with a, to the run of the address, and back', async () => {
    await using gateway = await gatewayWith(A, B, 'c2/vit/default');
    await using _ = await open(`${gateway.url}/#${A}?pane=proof`);
    await page.locator('.groups').getByRole('link', { name: 'B', exact: true }).waitFor();
    await page.keyboard.press('a');
    await expect.poll(hash).toBe(`#${B}?pane=proof`);
    await page.locator('.groups').getByRole('link', { name: 'A', exact: true }).waitFor();
    await page.keyboard.press('a');
    await expect.poll(hash).toBe(`#${A}?pane=proof`);
    await page.goto(`${gateway.url}/#${A}?b=c2/vit/default`);
    await page.locator('.groups').getByRole('link', { name: 'vit' }).waitFor();
    await page.keyboard.press('a');
    await expect.poll(hash).toBe(`#c2/vit/default?b=${A}`);
    await page.goBack();
    await expect.poll(hash).toBe(`#${A}?b=c2/vit/default`);
    await page.locator('.groups').getByRole('link', { name: 'A ⇄ B' }).click();
    await expect.poll(hash).toBe(`#${A}?pane=ab&b=c2/vit/default`);
  });

  it('says in its last line where it is, how much the log shows, what is missing, and what was verified', async () => {
    await using gateway = await gatewayWith(A);
    await using _ = await open(`${gateway.url}/#${A}`);
    const status = page.locator('.status-line');
    await expect.poll(() => status.textContent()).toMatch(/seq e1:201.*log shows 201 of 201 events/);
    await status.getByRole('button', { name: 'not verified' }).click();
    await page.getByRole('button', { name: 'verify now' }).click();
    await status.getByText(/✓ verified to seq 201 · \d/).waitFor();
  });

  it('has a strip whose window is the log, and scrolls the log by it', async () => {
    await using gateway = await gatewayWith(A);
    await using _ = await open(`${gateway.url}/#${A}`);
    const strip = page.locator('.strip-box');
    await expect.poll(() => strip.getAttribute('aria-valuetext')).toMatch(/event 201 of 201, live$/);
    const box = (await strip.boundingBox())!;
    const y = box.y + 10;
    // The log shows the end, so the window is there; a drag of it shows the beginning, and travels nowhere.
    await page.mouse.move(box.x + box.width - 4, y);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, y, { steps: 4 });
    await page.mouse.move(box.x + 4, y, { steps: 4 });
    await page.mouse.up();
    await page.locator('.line').filter({ hasText: 'TRAINING STARTED' }).waitFor();
    expect(await hash()).toBe(`#${A}`);
    await page.mouse.click(box.x + box.width * 0.75, y);
    await page.locator('.travel-band').waitFor();
    expect(await hash()).toMatch(/at=1[45]\d/);
  });

  it('has panes that can be closed, and that their keys open', async () => {
    await using gateway = await gatewayWith(A);
    await using _ = await open(`${gateway.url}/#${A}`);
    const log = page.locator('.log');
    const widthOf = async () => (await log.boundingBox())!.width;
    await page.getByRole('tab', { name: 'Charts' }).waitFor();
    const before = await widthOf();
    await page.getByRole('button', { name: 'Close the panes' }).click();
    await expect.poll(widthOf).toBeGreaterThan(before + 300);
    await page.reload();
    await page.locator('.side-open').waitFor();
    await page.keyboard.press('5');
    await page.getByRole('tab', { name: 'Proof', selected: true }).waitFor();
    expect(await widthOf()).toBe(before);
  });

  it.each([
    ['a desk', { width: 1400, height: 900 }, 20],
    ['a phone', { width: 380, height: 780 }, 15],
    ['200 % zoom', { width: 640, height: 400 }, 12],
    ['200 % zoom of a wide window', { width: 960, height: 450 }, 12],
  ])('shows enough lines of the log on %s, and is no wider than that', async (_name, viewport, least) => {
    await using gateway = await gatewayWith(A);
    await using _ = await open(`${gateway.url}/#${A}`, viewport);
    await page.locator('.line').first().waitFor();
    await expect.poll(linesInView).toBeGreaterThanOrEqual(least);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
  });

  it('waits for a run that has no event yet, and shows it when its first one comes', async () => {
    await using gateway = await startPastGateway();
    await using _ = await open(`${gateway.url}/#${A}`);
    await page.getByText('has sent no event').waitFor();
    await expect.poll(() => page.title()).toBe('sim-261127-0710-7-002 A · runlog');
    gateway.append(A, run({ rounds: 1 }));
    await expect.poll(() => fact('ev').textContent()).toBe('6');
    await expect.poll(() => page.title()).toMatch(/^● running/);
  });

  it('says that the run was deleted, and shows nothing of it when it begins anew', async () => {
    await using gateway = await gatewayWith(A);
    await using _ = await open(`${gateway.url}/#${A}`);
    await expect.poll(() => fact('ev').textContent()).toBe('201');
    // Who watches is asked once the run is there. The answer must have come, or it is that there is none.
    await page.getByText('1 watching').waitFor();
    gateway.retire(A);
    await page.getByText('was deleted while it was shown').waitFor();
    expect(await page.locator('.line').count()).toBe(0);
    gateway.append(A, run({ rounds: 2 }));
    await expect.poll(() => fact('ev').textContent()).toBe('11');
    expect(await fact('foss').textContent()).toBe('1');
    await expect.poll(() => page.locator('.line').filter({ hasText: 'ROUND' }).count()).toBe(2);
  });
});
