import { startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import { expect, it } from 'vitest';
import { freePort } from '../../support/free-ports.ts';
import { pageTests, WHILE_AWAY } from '../../support/page-tests.ts';
import { rowOf } from '../../support/shown-log.ts';

const KEY = 'c1/resnet-a/default';
const { open } = pageTests();

it('a part of the page that was first wanted while the gateway was away says so, and can be had when it is back', async () => {
  const port = await freePort();
  const first = await startMadeUpGateway({ port });
  const { runs } = first;
  first.append(KEY, [{ eventType: 'NOTE', message: 'note-1.', receivedAtMs: Date.now() }]);
  await using page = await open(`${first.url}/#${KEY}`, { allows: WHILE_AWAY });
  await rowOf(page, 'note-1.').waitFor();
  await first[Symbol.asyncDispose]();
  await page.getByText('connection lost').waitFor();
  await page.keyboard.press('5');
  await page.getByText('This part of the page could not be loaded: the gateway is away.').waitFor();
  const again = page.getByRole('button', { name: 'Load the page again' });
  expect(await again.count()).toBe(0);
  await using _gateway = await startMadeUpGateway({ runs, port });
  await again.click();
  await page.getByText('The gateway folds the whole history again').waitFor();
});
