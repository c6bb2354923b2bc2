import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import type { PictureView } from './picture-views.ts';
import type { SceneGateway } from './scene.ts';

export const THEMES = ['dark', 'light'] as const;
export const PICTURE_WIDTHS = [1_400, 1_100, 380] as const;

export interface PictureShape {
  readonly theme: (typeof THEMES)[number];
  readonly width: number;
}

const NARROW_PX = 500;
const HEIGHT_PX = { narrow: 780, wide: 900 };
const SETTLE_MS = 900;
const LOADED_MS_MAX = 20_000;

/** Takes the pictures of one view, in one page that changes its theme and its width. Returns what went wrong in the page. */
export async function pictureTheView(
  view: PictureView,
  to: {
    browser: Browser;
    gateway: SceneGateway;
    folder: string;
    shapes: readonly (PictureShape & { file: string })[];
  },
): Promise<string[]> {
  const faults: string[] = [];
  const zoom = view.zoom ?? 1;
  const first = to.shapes[0]!;
  const context = await to.browser.newContext({
    ...{ viewport: viewportOf(first.width, zoom), deviceScaleFactor: zoom, colorScheme: first.theme },
    ...(view.media === 'forced-colors' ? { forcedColors: 'active' as const } : {}),
  });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(LOADED_MS_MAX);
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' && view.withoutGateway !== true) faults.push(message.text());
    });
    await page.goto(`${to.gateway.url}/${view.address}`);
    await loaded(page, faults);
    await view.prepare?.(page, to.gateway);
    if (view.withoutGateway === true) await to.gateway.stop();
    if (view.media === 'print') await page.emulateMedia({ media: 'print' });
    for (const shape of to.shapes) {
      // A phone at twice the scale would be narrower than anything that the page is made for.
      if (zoom > 1 && shape.width < NARROW_PX) continue;
      await page.setViewportSize(viewportOf(shape.width, zoom));
      await page.emulateMedia({ colorScheme: shape.theme });
      await delay(SETTLE_MS);
      await page.screenshot({ path: join(to.folder, shape.file), animations: 'disabled' });
      const wider = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      if (Number(wider) > 0) faults.push(`${shape.file}: ${wider} px wider than the window`);
    }
  } catch (error) {
    faults.push(String(error));
  } finally {
    await context.close();
  }
  return faults;
}

async function loaded(page: Page, faults: string[]): Promise<void> {
  await page.locator('main').waitFor();
  await page
    .locator('main')
    .filter({ hasNotText: /Loading|Waiting for/ })
    .waitFor()
    .catch(() => faults.push('it says for ever that it loads'));
  await delay(SETTLE_MS);
}

function viewportOf(width: number, zoom: number) {
  const height = width < NARROW_PX ? HEIGHT_PX.narrow : HEIGHT_PX.wide;
  return { width: Math.round(width / zoom), height: Math.round(height / zoom) };
}
