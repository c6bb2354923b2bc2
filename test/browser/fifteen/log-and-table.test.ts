import { startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import { describe, expect, it } from 'vitest';
import { pageTests } from '../../support/page-tests.ts';
import { rowOf, rowTexts } from '../../support/shown-log.ts';

const KEY = 'c1/resnet-a/default';
const { open } = pageTests();
const nowMs = () => Math.floor(Date.now() / 1_000) * 1_000;

describe('fault 1: no search denies a run that exists', () => {
  it('one of 1,260 runs is found, whichever are drawn', async () => {
    await using gateway = await startMadeUpGateway();
    for (let run = 0; run < 1_260; run += 1) {
      const name = run === 3 ? 'needle' : `run-${run}`;
      gateway.append(`c1/${name}/default`, [{ receivedAtMs: nowMs() - 3_000_000 + run * 1_000 }]);
    }
    await using page = await open(gateway.url);
    await page.getByLabel('Filter runs').fill('NEEDLE');
    await page.getByRole('link', { name: 'c1/needle/default' }).waitFor();
  });
});

describe('fault 4: what somebody wrote is a line of its own', () => {
  it('a message is not rolled up with the others of its second, and a failure has its reason', async () => {
    await using gateway = await startMadeUpGateway();
    const receivedAtMs = nowMs();
    gateway.append(KEY, [
      { receivedAtMs },
      { receivedAtMs },
      { message: 'loss has a spike', receivedAtMs },
      { eventType: 'REWARD_COMPUTED', receivedAtMs },
      { eventType: 'REWARD_COMPUTED', envelope: { severity: 'error' }, receivedAtMs },
      { eventType: 'PPO_UPDATE_COMPLETED', data: { entropy: 'NaN' }, receivedAtMs },
      { eventType: 'RUN_FAILED', data: { reason: 'loss is NaN' }, receivedAtMs },
    ]);
    await using page = await open(`${gateway.url}/#${KEY}`);
    await rowOf(page, /EPOCH.*×2/).waitFor();
    await rowOf(page, 'loss has a spike').waitFor();
    await rowOf(page, /PPO.*ent:NaN/).waitFor();
    await expect.poll(() => rowOf(page, 'REWARD').count()).toBe(2);
    await page.getByRole('region', { name: 'Run', exact: true }).getByText('loss is NaN').first().waitFor();
  });
});

describe('fault 5: counts stay what they were', () => {
  it('a page that is loaded again shows the same rows', async () => {
    await using gateway = await startMadeUpGateway();
    const receivedAtMs = nowMs();
    gateway.append(
      KEY,
      Array.from({ length: 250 }, () => ({ receivedAtMs })),
    );
    await using page = await open(`${gateway.url}/#${KEY}`);
    await rowOf(page, /EPOCH.*×250/).waitFor();
    const before = await rowTexts(page);
    await page.reload();
    await expect.poll(() => rowTexts(page)).toEqual(before);
  });
});
