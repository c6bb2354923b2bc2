import { startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import { expect, it } from 'vitest';
import { pageTests } from '../../support/page-tests.ts';
import { rowOf } from '../../support/shown-log.ts';

const KEY = 'c1/resnet-a/default';
const { open } = pageTests();

it.each([
  ['HTML', '<img src=x onerror="document.title=1"><b>bold</b> end.', '<img src=x'],
  ['a turned direction', 'before \u202egnp.exe end.', '<202E>'],
  ['control characters', 'a\u001b[2J\u0007b\nc end.', '␛[2J␇b␊c'],
  ['4,000 characters', `${'x'.repeat(3_990)} end.`, 'xxxx'],
])('fault 13: a message with %s is text on one line', async (_, message, shown) => {
  await using gateway = await startMadeUpGateway();
  for (const receivedAtMs of [0, Date.UTC(2100, 0), Date.now()])
    gateway.append(KEY, [{ eventType: 'NOTE', message, receivedAtMs }]);
  await using page = await open(`${gateway.url}/#${KEY}`);
  const rows = rowOf(page, shown);
  await expect.poll(() => rows.count()).toBe(3);
  const heights = await rows.evaluateAll((all) => all.map((row) => row.getBoundingClientRect().height));
  expect(Math.max(...heights)).toBeLessThan(30);
  expect(await page.locator('img').count()).toBe(0);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(1_280);
});
