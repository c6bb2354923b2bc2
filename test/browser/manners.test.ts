import type { BrowserContextOptions, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { keyText, shortcutScopes } from '../../services/gateway/web/shell/shortcut-words.ts';
import { type ShortcutScope, shortcuts } from '../../services/gateway/web/shell/shortcuts.ts';
import { pageTests } from '../support/page-tests.ts';
import { OTHER_RUN, pageViews, SHOWN_RUN, shownRuns, VIEWS_ALLOW } from '../support/page-views.ts';

const tests = pageTests();
let page: Page;
const runs = shownRuns();

async function open(hash: string, isThere: string, context: BrowserContextOptions = {}): Promise<void> {
  page = await tests.open(`${runs.gateway.url}/${hash}`, { context, allows: VIEWS_ALLOW });
  await page.locator(isThere).first().waitFor();
}

const compared = `#compare?runs=${SHOWN_RUN},${OTHER_RUN}`;
const openRun = (options: BrowserContextOptions = {}, by = '') =>
  open(`#${SHOWN_RUN}${by}`, '.line-event', options);

it.each(pageViews)(
  '$name fits into 380 px, asks no other host, moves nothing, has one main part and one heading of the first rank, and no box where a letter should be',
  async ({ hash, isThere }) => {
    await open(hash, isThere, { viewport: { width: 380, height: 800 }, reducedMotion: 'reduce' });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(380);
    await page.setViewportSize({ width: 1_280, height: 800 });
    await page.locator(isThere).first().waitFor();
    expect(await boxes()).toEqual([]);
    expect(await page.getByRole('main').count()).toBe(1);
    expect(await page.getByRole('banner').count()).toBe(1);
    expect(await page.locator('h1').count()).toBe(1);
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
    expect([...tests.hosts]).toEqual([new URL(runs.gateway.url).host]);
  },
);

/** The characters that no font draws: they look like one that no font has. */
async function boxes(): Promise<string[]> {
  await page.waitForFunction(async () => (await document.fonts.load('16px "runlog signs"', '●')).length > 0);
  return await page.evaluate(() => {
    const context = new OffscreenCanvas(32, 32).getContext('2d', { willReadFrequently: true })!;
    const { fontFamily } = getComputedStyle(document.body);
    const drawn = (text: string) => {
      context.clearRect(0, 0, 32, 32);
      context.font = `20px ${fontFamily}`;
      context.fillText(text, 4, 24);
      return context.getImageData(0, 0, 32, 32).data.join();
    };
    const none = [drawn('\u{10fffe}'), drawn(' ')];
    const said = [...document.querySelectorAll('body *')].map((element) =>
      [element.getAttribute('placeholder'), ...[...element.childNodes].map(textOf)].join(''),
    );
    function textOf(node: ChildNode): string {
      return node.nodeType === Node.TEXT_NODE ? (node.textContent ?? '') : '';
    }
    return [...new Set(said.join(''))].filter((text) => /\S/.test(text) && none.includes(drawn(text)));
  });
}

describe('the sheet of keys', () => {
  const places: Record<ShortcutScope, { hash: string; isThere: string }> = {
    everywhere: { hash: `#${SHOWN_RUN}`, isThere: '.line-event' },
    fleet: { hash: '#', isThere: '.fleet-row' },
    run: { hash: `#${SHOWN_RUN}`, isThere: '.line-event' },
    compare: { hash: compared, isThere: 'tr[data-run]' },
  };
  const rows = Object.entries(shortcuts).flatMap(([name, { scope, keys }]) =>
    keys.map((key) => ({ name, scope, key })),
  );

  it('lists every key, by what it does', async () => {
    await open('#', '.fleet-row');
    await page.keyboard.press('?');
    const sheet = page.getByRole('dialog', { name: 'Keys' });
    await sheet.locator('dl').first().waitFor();
    const listed = await sheet
      .locator('dl > div')
      .evaluateAll((each) =>
        each.map((row) => [...row.querySelectorAll('kbd')].map((key) => key.textContent).join(' ')),
      );
    expect(listed).toEqual(
      shortcutScopes.flatMap(({ scope }) =>
        Object.values(shortcuts)
          .filter((row) => row.scope === scope)
          .map(({ keys }) => keys.map(keyText).join(' ')),
      ),
    );
  });

  it.each(shortcutScopes)('names no key of $title that does nothing there', async ({ scope }) => {
    const dead: string[] = [];
    const { hash, isThere } = places[scope];
    await open(hash, isThere);
    for (const { name, key } of rows.filter((row) => row.scope === scope)) {
      await page.goto('about:blank');
      await page.goto(`${runs.gateway.url}/${hash}`);
      await page.locator(isThere).first().waitFor();
      // What the page takes for a key of its own it keeps from the browser. Its own listener is called first.
      await page.evaluate(() => {
        window.addEventListener('keydown', (event) => {
          document.body.dataset.took = String(event.defaultPrevented);
        });
      });
      await page.keyboard.press(key);
      if ((await page.locator('body').getAttribute('data-took')) !== 'true') dead.push(`${name}: ${key}`);
    }
    expect(dead).toEqual([]);
  });
});

describe('the page in the page of somebody else', () => {
  it('is the view alone, with a way out to the same view', async () => {
    await open(`?embed=1${compared}&x=time`, 'tr[data-run]');
    expect(await page.locator('.top-bar').isVisible()).toBe(false);
    const out = page.getByRole('link', { name: 'open in runlog' });
    expect(await out.evaluate((link) => (link as HTMLAnchorElement).href)).toBe(
      `${runs.gateway.url}/${compared}&x=time`,
    );
    expect(await out.getAttribute('target')).toBe('_blank');
  });

  it('has no way out where it is no part of another page', async () => {
    await open(compared, 'tr[data-run]');
    expect(await page.getByRole('link', { name: 'open in runlog' }).count()).toBe(0);
  });
});

describe('on paper', () => {
  const seqs = () => page.locator('.line-event .seq').allInnerTexts();
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const controls = () =>
    page.locator(':is(input, select, .to-end, .side-tabs, .compare-axis, .key-button):visible').count();

  it('the log is whole, on white, with nothing to press, and the screen has its part again', async () => {
    await openRun({ colorScheme: 'dark', viewport: { width: 1280, height: 450 } });
    const before = (await seqs()).length;
    await page.emulateMedia({ media: 'print' });
    await expect.poll(async () => (await seqs()).length).toBeGreaterThan(before);
    const shown = (await seqs()).map(Number);
    const held = Array.from({ length: shown.length }, (_, at) => shown[0]! + at).filter((seq) =>
      shown.includes(seq),
    );
    expect(shown.slice(0, held.length)).toEqual(held);
    expect(await background()).toBe('rgb(255, 255, 255)');
    expect(await controls()).toBe(0);
    const last = await page.locator('.line').last().boundingBox();
    const whole = await page.evaluate(() => document.documentElement.scrollHeight);
    expect(last!.y + last!.height).toBeLessThanOrEqual(whole);
    await page.emulateMedia({ media: 'screen' });
    // As many as before it cannot be: panes that were loaded meanwhile may have left the log other room.
    await expect.poll(async () => (await seqs()).length).toBeLessThan(shown.length);
  });

  it.each([
    ['the table of runs', '#', '.fleet-row'],
    ['a comparison', compared, 'tr[data-run]'],
  ])('%s is whole, on white, with nothing to press', async (_name, hash, isThere) => {
    await open(hash, isThere, { colorScheme: 'dark', viewport: { width: 900, height: 300 } });
    await page.emulateMedia({ media: 'print' });
    expect(await background()).toBe('rgb(255, 255, 255)');
    expect(await controls()).toBe(0);
    const hidden = () =>
      page.locator(isThere).evaluateAll(
        (rows) =>
          rows.filter((row) => {
            const box = row.getBoundingClientRect();
            return box.height === 0 || box.bottom > document.documentElement.scrollHeight;
          }).length,
      );
    // Rows that have just come, or charts above them that have, are laid out anew.
    await expect.poll(hidden).toBe(0);
  });
});

describe('with the colours of the system', () => {
  const forced = { forcedColors: 'active' } as const;
  const outline = (selector: string) =>
    page
      .locator(selector)
      .first()
      .evaluate((element) => getComputedStyle(element).outlineStyle);

  it('states differ by sign and word', async () => {
    await open('#', '.fleet-row', forced);
    const states = await page.locator('td.cell-state').allInnerTexts();
    // A run of these is quiet after a minute.
    for (const state of states)
      expect(state.replace(/\s+/g, ' ').trim()).toMatch(/^(● running|○ quiet|✗ failed)$/);
    expect(new Set(states).size).toBeGreaterThan(1);
    expect(await page.locator('.link-state').innerText()).toContain('connected');
  });

  it('what is chosen has an outline: a run, an event, a pane, a line', async () => {
    await open('#', '.fleet-row', forced);
    await page.keyboard.press('j');
    await page.locator('.fleet-row-active').waitFor();
    expect(await outline('.fleet-row-active')).toBe('solid');
    await page.close();
    await openRun(forced, '?pane=proof');
    await page.locator('.line-event').last().click();
    await page.locator('.line-selected').waitFor();
    expect(await outline('.line-selected')).toBe('solid');
    expect(await outline('.side-tabs [aria-selected="true"]')).toBe('solid');
    await page.close();
    await open(compared, 'tr[data-run]', forced);
    await page.keyboard.press('j');
    await page.locator('tr.is-highlighted').waitFor();
    expect(await outline('tr.is-highlighted')).toBe('solid');
    const dashes = await page
      .locator('.compare-legend-item path')
      .evaluateAll((paths) => paths.map((path) => path.getAttribute('stroke-dasharray')));
    expect(new Set(dashes).size).toBe(2);
  });
});

describe('where there is little room', () => {
  it('the top bar is one row at 200 % zoom, and the log has twelve lines', async () => {
    await openRun({ viewport: { width: 640, height: 400 } });
    const bar = await page.locator('.top-bar').boundingBox();
    expect(bar!.height).toBeLessThanOrEqual(36);
    const lines = await page.locator('.lines').evaluate((list) => {
      const { height } = list.getBoundingClientRect();
      return Math.floor(height / Number.parseFloat(getComputedStyle(list).lineHeight));
    });
    expect(lines).toBeGreaterThanOrEqual(12);
  });
});

it('the arrow keys go through the classes above the log', async () => {
  await openRun();
  const chips = page.locator('.log-chips button');
  await chips.first().focus();
  await page.keyboard.press('ArrowRight');
  expect(await chips.nth(1).evaluate((chip) => chip === document.activeElement)).toBe(true);
  await expect.poll(() => page.locator('.log-chips button[tabindex="0"]').count()).toBe(1);
});

it('a key goes to the log in fewer than twelve steps, and each step is seen', async () => {
  await openRun();
  const steps: string[] = [];
  for (; steps.length < 20; ) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const { activeElement } = document;
      const isLog = activeElement?.classList.contains('lines') ?? false;
      const { outlineStyle } = getComputedStyle(activeElement!);
      return { isLog, outlineStyle, html: activeElement?.outerHTML.slice(0, 80) ?? '' };
    });
    steps.push(at.html);
    expect(at).toMatchObject({ outlineStyle: 'solid' });
    if (at.isLog) break;
  }
  expect(steps.length, steps.join('\n')).toBeLessThan(12);
});
