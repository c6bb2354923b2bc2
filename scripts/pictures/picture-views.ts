import type { Page } from 'playwright-core';
import { startReverseProxy } from '../../test/support/reverse-proxy.ts';
import { comparedRuns, shownRuns as runs } from './picture-fleets.ts';

/** What a gateway of the pictures serves. */
export type Scene = 'empty' | 'one' | 'usual' | 'many' | 'flood' | 'keys' | 'ending';

/** One view of the page. */
export interface PictureView {
  readonly name: string;
  readonly scene: Scene;
  /** The address from its `#` on, or a query and the rest. */
  readonly address: string;
  /** What is done before the picture is taken. */
  readonly prepare?: (page: Page, gateway: { url: string; viewerKey: string }) => Promise<unknown>;
  /** The gateway is ended before the picture is taken. */
  readonly withoutGateway?: boolean;
  readonly media?: 'print' | 'forced-colors';
  /** A larger scale, at which less of the page has room. */
  readonly zoom?: number;
}

const press = (key: string) => (page: Page) => page.keyboard.press(key);
const compared = [runs.live, runs.other, runs.finished].join(',');
const marked = [runs.failed, runs.lost, runs.live, runs.other].join(',');
const selectEvent = click('.line-event');

export const pictureViews: readonly PictureView[] = [
  { name: 'fleet-0', scene: 'empty', address: '' },
  { name: 'fleet-1', scene: 'one', address: '' },
  { name: 'fleet-71', scene: 'usual', address: '' },
  { name: 'fleet-grouped', scene: 'usual', address: '#?by=cluster' },
  { name: 'fleet-filtered', scene: 'usual', address: '#?q=state:failed,quiet' },
  { name: 'fleet-sorted', scene: 'usual', address: '#?q=acc>60&sort=-accuracy' },
  { name: 'fleet-no-match', scene: 'usual', address: '#?q=nothing-like-this' },
  { name: 'fleet-fault', scene: 'usual', address: '#?q=accc>80' },
  { name: 'fleet-marked', scene: 'usual', address: `#?marked=${marked}` },
  { name: 'fleet-zoomed', scene: 'usual', address: '', zoom: 2 },
  { name: 'fleet-10000', scene: 'many', address: '' },
  { name: 'run-live', scene: 'usual', address: `#${runs.live}` },
  { name: 'run-paused', scene: 'usual', address: `#${runs.live}`, prepare: press(' ') },
  { name: 'run-beginning', scene: 'usual', address: `#${runs.live}`, prepare: press('g') },
  { name: 'run-filtered', scene: 'usual', address: `#${runs.live}?log=type:gate%20env:2` },
  { name: 'run-no-match', scene: 'usual', address: `#${runs.live}?log=%22no%20such%20words%22` },
  { name: 'run-raw-rows', scene: 'usual', address: `#${runs.live}?raw=1` },
  { name: 'run-raw-open', scene: 'usual', address: `#${runs.live}?raw=1`, prepare: click('.line-event') },
  { name: 'run-open-rows', scene: 'usual', address: `#${runs.live}`, prepare: click('.line-rollup') },
  { name: 'run-drip', scene: 'usual', address: `#${runs.live}`, prepare: click('.log-drip') },
  { name: 'run-around', scene: 'usual', address: `#${runs.live}?log=type:gate%20env:2`, prepare: lookAround },
  { name: 'run-filter-fault', scene: 'usual', address: `#${runs.live}?log=typ:gate` },
  { name: 'run-charts', scene: 'usual', address: `#${runs.live}?pane=charts` },
  { name: 'run-event', scene: 'usual', address: `#${runs.live}?pane=event`, prepare: selectEvent },
  { name: 'run-ab', scene: 'usual', address: `#${runs.live}?pane=ab` },
  { name: 'run-raw', scene: 'usual', address: `#${runs.live}?pane=raw` },
  { name: 'run-proof', scene: 'usual', address: `#${runs.live}?pane=proof` },
  { name: 'run-travel', scene: 'usual', address: `#${runs.live}`, prepare: travel },
  { name: 'run-playing', scene: 'usual', address: `#${runs.live}`, prepare: play },
  { name: 'run-failed', scene: 'usual', address: `#${runs.failed}` },
  { name: 'run-finished', scene: 'usual', address: `#${runs.finished}` },
  { name: 'run-gaps', scene: 'usual', address: `#${runs.gaps}`, prepare: scrollToGap },
  { name: 'run-gap-explained', scene: 'usual', address: `#${runs.gaps}`, prepare: explainGap },
  { name: 'run-gaps-proof', scene: 'usual', address: `#${runs.gaps}?pane=proof` },
  { name: 'run-quiet', scene: 'usual', address: `#${runs.quiet}` },
  { name: 'run-lost-contact', scene: 'usual', address: `#${runs.lost}` },
  { name: 'run-clock-set-back', scene: 'usual', address: `#${runs.clockBack}` },
  { name: 'run-restarted', scene: 'usual', address: `#${runs.restarted}` },
  { name: 'run-hostile', scene: 'usual', address: `#${runs.hostile}` },
  { name: 'run-one-event', scene: 'one', address: `#${runs.one}` },
  { name: 'run-flood', scene: 'flood', address: '#c1/flood/default' },
  { name: 'run-flood-open', scene: 'flood', address: '#c1/flood/default', prepare: click('.line-burst') },
  { name: 'run-zoomed', scene: 'usual', address: `#${runs.live}`, zoom: 2 },
  { name: 'run-embedded', scene: 'usual', address: `?embed=1#${runs.live}` },
  { name: 'run-printed', scene: 'usual', address: `#${runs.live}`, media: 'print' },
  { name: 'run-forced-colors', scene: 'usual', address: `#${runs.live}`, media: 'forced-colors' },
  { name: 'fleet-forced-colors', scene: 'usual', address: '', media: 'forced-colors' },
  { name: 'fleet-printed', scene: 'usual', address: '', media: 'print' },
  { name: 'fleet-embedded', scene: 'usual', address: '?embed=1#' },
  { name: 'compare', scene: 'usual', address: `#compare?runs=${compared}` },
  { name: 'compare-time', scene: 'usual', address: `#compare?runs=${compared}&x=time` },
  { name: 'compare-2', scene: 'usual', address: `#compare?runs=${runs.live},${runs.other}&x=step` },
  { name: 'compare-50', scene: 'usual', address: `#compare?runs=${comparedRuns.join(',')}` },
  { name: 'compare-zoomed', scene: 'usual', address: `#compare?runs=${compared}`, zoom: 2 },
  { name: 'compare-printed', scene: 'usual', address: `#compare?runs=${compared}`, media: 'print' },
  {
    name: 'compare-forced-colors',
    scene: 'usual',
    address: `#compare?runs=${compared}`,
    media: 'forced-colors',
  },
  { name: 'compare-nothing', scene: 'usual', address: '#compare' },
  { name: 'compare-missing-run', scene: 'usual', address: `#compare?runs=${runs.live},c9/gone/default` },
  { name: 'help', scene: 'usual', address: `#${runs.live}`, prepare: press('?') },
  { name: 'unknown-run', scene: 'usual', address: '#c1/never-was/default' },
  { name: 'unknown-address', scene: 'usual', address: '#%' },
  { name: 'origin-refused', scene: 'usual', address: '', prepare: goBehindProxy },
  { name: 'key-wanted', scene: 'keys', address: '' },
  { name: 'key-refused', scene: 'keys', address: '', prepare: enterWrongKey },
  { name: 'forbidden', scene: 'keys', address: `#${runs.live}`, prepare: enterKey },
  // Each of these ends the gateway of its scene, and so comes last.
  { name: 'reconnecting-run', scene: 'usual', address: `#${runs.live}`, withoutGateway: true },
  { name: 'reconnecting-fleet', scene: 'ending', address: '', withoutGateway: true },
];

async function enterKey(page: Page, { viewerKey }: { viewerKey: string }): Promise<void> {
  await page.locator('#key').fill(viewerKey);
  await page.keyboard.press('Enter');
}

async function enterWrongKey(page: Page): Promise<void> {
  await enterKey(page, { viewerKey: 'rl_not-a-key' });
  await page.getByText('This key is not valid').waitFor();
}

/** Shows the page as a proxy does that hides where the browser is. */
async function goBehindProxy(page: Page, { url }: { url: string }): Promise<void> {
  const proxy = await startReverseProxy({ upstream: url, path: '/runlog', passesHost: false });
  page.on('close', () => void proxy[Symbol.asyncDispose]());
  await page.goto(`${proxy.origin}/runlog/`);
  await page.getByRole('alert').waitFor();
}

/** Presses what is of this kind in the middle of those in view. */
function click(kind: string) {
  return async (page: Page) => {
    await page.locator(kind).first().waitFor();
    const all = page.locator(kind);
    await all.nth((await all.count()) >> 1).click();
    await page.mouse.move(700, 20);
  };
}

async function lookAround(page: Page): Promise<void> {
  await selectEvent(page);
  await page.keyboard.press('o');
}

/** Scrolls up until a row of missing events is in view. */
async function scrollToGap(page: Page): Promise<void> {
  await page.mouse.move(300, 500);
  for (let turns = 0; turns < 80; turns += 1) {
    const box = await page
      .locator('.line-gap-text')
      .first()
      .boundingBox({ timeout: 50 })
      .catch(() => null);
    if (box !== null && box.y > 300 && box.y < 700) break;
    await page.mouse.wheel(0, -200);
    await page.waitForTimeout(60);
  }
}

async function explainGap(page: Page): Promise<void> {
  await scrollToGap(page);
  await page.getByRole('button', { name: 'what is this?' }).first().click();
}

async function play(page: Page): Promise<void> {
  await travel(page);
  await page.locator('.travel-band').waitFor();
  await page.keyboard.press('p');
}

/** Goes to a place in the last third of the run's life. */
async function travel(page: Page): Promise<void> {
  const box = await page.locator('.strip').first().boundingBox();
  if (box !== null) await page.mouse.click(box.x + box.width * 0.8, box.y + box.height / 2);
  await page.locator('.log-rows, .lines, [role=grid]').first().waitFor();
  await page.mouse.move(700, 20);
}
