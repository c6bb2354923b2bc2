import { type MadeUpGateway, startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pageTests } from '../../support/page-tests.ts';

/** Names that differ in their end, in their beginning, and in what is between. */
const names = [
  'resnet50-imagenet1k-lr0.0010-bs256-augmix-cosine-300ep-seed-0001',
  'resnet50-imagenet1k-lr0.0010-bs256-augmix-cosine-300ep-seed-0002',
  'resnet50-imagenet1k-lr0.0003-bs256-augmix-cosine-300ep-seed-0001',
  'vit-b-16-imagenet1k-lr0.0010-bs256-augmix-cosine-300ep-seed-0001',
];
const key = (name: string) => `c1/${name}/default`;

const { open } = pageTests();
let gateway: MadeUpGateway;
beforeAll(async () => {
  gateway = await startMadeUpGateway();
  // The table has the newest first. In this order there was no room for all that was kept of the first name.
  const order = [0, 1, 3, 2];
  const nowMs = Date.now();
  for (const [place, at] of order.entries()) {
    gateway.append(key(names[at]!), [{ receivedAtMs: nowMs - 10 * place }]);
  }
});
afterAll(() => gateway?.[Symbol.asyncDispose]());

/** What can be read of the text of an element, with `…` for what is cut off. */
const readable = (element: Locator): Promise<string> =>
  element.evaluate((root) => {
    const isSeen = (node: Node, at: number) => {
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      const letter = range.getBoundingClientRect();
      if (letter.left < -0.5 || letter.right > innerWidth + 0.5) return false;
      for (let box = node.parentElement; box !== null; box = box.parentElement) {
        const { overflowX, textOverflow, fontSize } = getComputedStyle(box);
        if (overflowX === 'visible') continue;
        const isCut = textOverflow === 'ellipsis' && box.scrollWidth > box.clientWidth;
        const end = box.getBoundingClientRect().right - (isCut ? Number.parseFloat(fontSize) * 0.6 : 0);
        if (letter.right > end + 0.5) return false;
      }
      return true;
    };
    let text = '';
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const letters = node.textContent ?? '';
      for (let at = 0; at < letters.length; at += 1) text += isSeen(node, at) ? letters[at] : '…';
    }
    return text
      .replace(/^.* \/ /, '')
      .replace(/…+/g, '…')
      .trim();
  });

/** The names that a text can stand for. */
const meant = (text: string) => {
  const pattern = new RegExp(`^${text.replaceAll('.', '\\.').replaceAll('…', '.*')}$`);
  return names.filter((name) => pattern.test(name));
};

it.each([1_400, 1_100, 380])('fault 9: names keep what tells them apart, at %d px', async (width) => {
  const context = { viewport: { width, height: 800 } };
  await using page = await open(gateway.url, { context });
  const expectToldApart = async (labels: Locator) => {
    // A row learns of the names around it within a second.
    const told = async () => (await Promise.all((await labels.all()).map(readable))).map(meant).sort();
    await expect.poll(told).toEqual(names.map((name) => [name]).sort());
  };
  await expectToldApart(page.getByRole('rowheader').getByRole('link'));
  for (const name of names) {
    await page.goto(`${gateway.url}/#${key(name)}`);
    const title = page.getByRole('heading', { name: `c1 / ${name}` });
    await title.waitFor();
    expect(meant(await readable(title))).toEqual([name]);
  }
  await page.goto(`${gateway.url}/#${key(names[0]!)}?b=${key(names[2]!)}`);
  const beside = page.getByRole('navigation', { name: 'Groups' }).getByRole('link', { name: names[2]! });
  await beside.waitFor();
  expect(meant(await readable(beside))).toEqual([names[2]]);
  await page.goto(`${gateway.url}/#compare?runs=${names.map(key).join(',')}`);
  await expectToldApart(page.locator('tr[data-run]').getByRole('rowheader').getByRole('link'));
  await expectToldApart(page.locator('.compare-legend-item'));
});
