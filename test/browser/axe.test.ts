import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults, RunOptions } from 'axe-core';
import type { Page } from 'playwright-core';
import { beforeAll, expect, it } from 'vitest';
import { pageTests } from '../support/page-tests.ts';
import { pageViews, shownRuns, VIEWS_ALLOW } from '../support/page-views.ts';

declare const axe: { run(options: RunOptions): Promise<AxeResults> };

/** What WCAG asks of text, and of signs that mean something. */
const TEXT_CONTRAST_MIN = 4.5;
const SIGN_CONTRAST_MIN = 3;

const { open } = pageTests();
let checker: string;
const runs = shownRuns();

beforeAll(async () => {
  checker = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
});

/**
 * Every rule that the checker has by default, on everything that the page shows. Where it cannot decide a contrast, because
 * something lies above the text or the text is a sign, that is decided here: by the colour of the text, and that of the next
 * element around it that has one.
 */
async function check(page: Page): Promise<{ violations: string[]; lowContrast: string[] }> {
  const { violations, undecided } = await page.evaluate(async () => {
    const results = await axe.run({ elementRef: true });
    const rgba = (text: string) => {
      const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true })!;
      context.fillStyle = text;
      context.fillRect(0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (colour: readonly number[]) => {
      const [r, g, b] = colour.map((value) =>
        value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
      );
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
    };
    const backOf = (element: Element | null): number[] => {
      if (element === null) return [255, 255, 255, 255];
      const back = rgba(getComputedStyle(element).backgroundColor);
      return back[3] === 255 ? back : backOf(element.parentElement);
    };
    const contrastOf = (element: Element) => {
      const { color, fill } = getComputedStyle(element);
      const [light, dark] = [rgba(element instanceof SVGElement ? fill : color), backOf(element)]
        .map(luminance)
        .sort((a, b) => b - a);
      return (light! + 0.05) / (dark! + 0.05);
    };
    const contrasts = results.incomplete.filter(({ id }) => id === 'color-contrast');
    return {
      violations: results.violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html }) => html) })),
      undecided: contrasts
        .flatMap(({ nodes }) => nodes)
        .map(({ html, element }) => ({
          html,
          contrast: contrastOf(element!),
          isSign: !/[\p{L}\p{N}]/u.test(element!.textContent ?? ''),
        })),
    };
  });
  return {
    violations: violations.flatMap(({ id, nodes }) => nodes.map((html) => `${id}: ${html.slice(0, 240)}`)),
    lowContrast: undecided
      .filter(({ contrast, isSign }) => contrast < (isSign ? SIGN_CONTRAST_MIN : TEXT_CONTRAST_MIN))
      .map(({ html, contrast }) => `${contrast.toFixed(2)}: ${html.slice(0, 200)}`),
  };
}

/** In either theme. Contrast can be decided only where nothing moves. */
async function expectNoFault(hash: string, getThere: (page: Page) => Promise<unknown>): Promise<void> {
  const page = await open(`${runs.gateway.url}/${hash}`, {
    context: { reducedMotion: 'reduce' },
    allows: VIEWS_ALLOW,
  });
  await getThere(page);
  await page.evaluate(checker);
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await check(page), colorScheme).toEqual({ violations: [], lowContrast: [] });
  }
}

it.each(pageViews)('$name breaks no rule, and its contrast is decided', async ({ hash, isThere }) => {
  await expectNoFault(hash, (page) => page.locator(isThere).first().waitFor());
});

it('the sheet of keys breaks no rule', async () => {
  await expectNoFault('#', async (page) => {
    await page.getByText('resnet-a').first().waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  });
});
