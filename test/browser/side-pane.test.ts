import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@runlog/cli/simulate/seeded-random';
import { encodeEvent, simulateRun } from '@runlog/cli/simulate/simulated-run';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import type { RunProof } from '@runlog/schema/http/proof-api';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PAGE_WAIT_MS_MAX } from '../support/chromium.ts';
import { type OpenOptions, pageTests } from '../support/page-tests.ts';
import { ServiceProcess } from '../support/service-process.ts';

const A = 'local/side/A';
const B = 'local/side/B';
const EMITTER = 'rank0';

const tests = pageTests();
let up: ServiceProcess;
let folder: string;
let page: Page;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-side-'));
  up = await ServiceProcess.start('up', { RUNLOG_DATA_DIR: folder });
  // Numbers 101 to 110 of A never come, and its first event comes twice. B has not come as far.
  const sentA = simulated('A', 700);
  await publish([...sentA.slice(0, 100), ...sentA.slice(110), sentA[0]!]);
  await publish(simulated('B', 500));
  await received(A, 691);
  await received(B, 500);
});
afterAll(async () => {
  await up?.[Symbol.asyncDispose]();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

/** The first events of a run, as a trainer sends them: one a tenth of a second. */
function simulated(groupId: string, count: number): Buffer[] {
  let nowMs = Date.now() - 600_000;
  const events = simulateRun(
    {
      ...{ runId: 'side', groupId, emitterId: EMITTER, task: 'cifar_scale', rewardMode: 'shaped' },
      ...{ envs: 2, batches: 60, failsInBatch: null, seed: 7 },
    },
    { random: seededRandom(groupId === 'A' ? 7 : 8), clock: () => nowMs, ending: () => false },
  );
  return Array.from({ length: count }, () => {
    nowMs += 100;
    const { value } = events.next();
    if (value === undefined) throw new Error('the simulated run is too short');
    return encodeEvent(value);
  });
}

async function publish(lines: readonly Buffer[]): Promise<void> {
  const response = await fetch(`${up.addresses.ingest}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.map((line) => `${line.toString('utf8').trim()}\n`).join(''),
  });
  expect(response.status).toBe(200);
}

async function read<Body>(path: string): Promise<Body> {
  return (await (await fetch(`${up.addresses.gateway}/v1/runs/${path}`)).json()) as Body;
}

const proof = (key: string) => read<RunProof>(`${key}/proof`);

/** Resolves when the gateway has so many events of a run. */
async function received(key: string, count: number): Promise<void> {
  await vi.waitFor(async () => expect((await proof(key)).received).toBe(count), PAGE_WAIT_MS_MAX);
}

/** An event of A of a type. */
async function eventOf(type: string) {
  const { events } = await read<EventsPage>(`${A}/events?type=${type}&limit=1`);
  return events[0]!;
}

async function open(options: string, { allows }: OpenOptions = {}): Promise<void> {
  page = await tests.open(`${up.addresses.gateway}/#${A}${options}`, {
    context: { viewport: { width: 1_400, height: 900 } },
    ...(allows !== undefined && { allows }),
  });
  await page.getByRole('tablist', { name: 'Panes' }).waitFor();
}

const hash = () => new URL(page.url()).hash;
const option = (name: string) => new URLSearchParams(hash().split('?')[1] ?? '').get(name);
const chosenTab = () => page.locator('[role=tab][aria-selected=true]').innerText();
const panel = () => page.getByRole('tabpanel');

describe('the panes beside the log', () => {
  it('are reached by their keys, by the arrows, by a click, and by the address', async () => {
    await open('');
    expect(await chosenTab()).toBe('Charts');
    for (const [key, pane] of [
      ['5', 'proof'],
      ['2', 'event'],
      ['4', 'raw'],
      ['3', 'ab'],
      ['1', 'charts'],
    ] as const) {
      await page.keyboard.press(key);
      await expect.poll(() => option('pane')).toBe(pane);
    }
    await page.getByRole('tab', { name: 'Raw' }).click();
    await page.keyboard.press('ArrowRight');
    await expect.poll(chosenTab).toBe('Proof');
    await page.keyboard.press('ArrowRight');
    await expect.poll(chosenTab).toBe('Charts');
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Proof');
    expect(await page.locator('[role=tab][tabindex="0"]').count()).toBe(1);
    await page.reload();
    await expect.poll(chosenTab).toBe('Proof');
  });

  it('are reached by a click in a low window, too, and left', async () => {
    await open('');
    await page.setViewportSize({ width: 800, height: 400 });
    await page.getByRole('tablist', { name: 'Panes' }).waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'panes', exact: true }).click();
    await page.getByRole('tab', { name: 'Proof' }).click();
    await expect.poll(() => option('pane')).toBe('proof');
    await page.getByRole('button', { name: 'panes', exact: true }).click();
    await page.getByRole('tablist', { name: 'Panes' }).waitFor({ state: 'hidden' });
  });

  it('show the usual six figures, and others that are chosen, for as long as the tab is open', async () => {
    await open('');
    const names = () =>
      page.locator('.chart').evaluateAll((all) => all.map((each) => each.getAttribute('data-figure')));
    await expect
      .poll(names)
      .toEqual(['accuracy', 'reward', 'entropy', 'clip_fraction', 'kl_divergence', 'events/s']);
    await page.locator('.charts-choice summary').click();
    await page.getByRole('checkbox', { name: 'entropy' }).uncheck();
    await expect.poll(names).not.toContain('entropy');
    await page.reload();
    await expect.poll(names).toEqual(['accuracy', 'reward', 'clip_fraction', 'kl_divergence', 'events/s']);
  });

  it('let a chart be read with the keys, and lead to the place in the log', async () => {
    await open('');
    const accuracy = page.locator('.chart[data-figure=accuracy] .chart-box');
    await expect.poll(() => accuracy.getAttribute('aria-valuetext')).toMatch(/%, between .*% and .*%$/);
    expect(await page.locator('.chart-box[tabindex="0"]').count()).toBe(1);
    await accuracy.focus();
    await page.keyboard.press('Home');
    await expect.poll(() => accuracy.getAttribute('aria-valuetext')).toMatch(/^[\d.]+% at \d\d:\d\d:\d\d$/);
    const first = await accuracy.getAttribute('aria-valuetext');
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => accuracy.getAttribute('aria-valuetext')).not.toBe(first);
    await expect
      .poll(() => page.locator('.chart[data-figure=reward] .chart-value.is-at-cursor').count())
      .toBe(1);
    await page.keyboard.press('Home');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('.log').innerText()).toMatch(/TRAINING STARTED|#1 /);
    await page.keyboard.press('ArrowDown');
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label')))
      .toBe('reward');
  });

  it('filter the log by the life that is clicked in its lane', async () => {
    await open('');
    const lanes = page.getByRole('listbox', { name: /Lives of/ });
    await lanes.focus();
    await page.keyboard.press('ArrowDown');
    await page.locator('.lanes-chosen').waitFor();
    await page.keyboard.press('Enter');
    await expect.poll(() => option('log')).toMatch(/^env:\d slot:r\dc\d$/);
  });
});

describe('the event pane', () => {
  it('shows an event by its address alone: what was sent, both clocks, and its number', async () => {
    const { seq, event } = await eventOf('SEED_GERMINATED');
    await open(`?pane=event&event=${seq}`);
    await page.locator('.event-json pre').waitFor();
    const json = (await page.locator('.event-json pre').innerText()).trim();
    expect(JSON.parse(json)).toEqual(event);
    const times = await page.locator('.event-times').innerText();
    expect(times).toContain("by the sender's clock");
    expect(times).toMatch(/received.* later/s);
    expect(times).toContain(`${event.emitter_seq}`);
    expect(times).toContain(EMITTER);
  });

  it('filters the log by a field', async () => {
    const { seq, entry } = await eventOf('SEED_GERMINATED');
    await open(`?pane=event&event=${seq}`);
    await page.getByRole('button', { name: 'Filter the log by slot_id' }).click();
    await expect.poll(() => option('log')).toBe(`slot:${entry!.metadata.slot_id}`);
    await page.getByRole('button', { name: 'Filter the log by env_id' }).click();
    await expect.poll(() => option('log')).toBe(`env:${entry!.env_id} slot:${entry!.metadata.slot_id}`);
  });

  it('goes to what came before and after in the life of its seed', async () => {
    const { seq, entry } = await eventOf('SEED_GERMINATED');
    const life = `env=${entry!.env_id}&slot=${entry!.metadata.slot_id}`;
    const { events } = await read<EventsPage>(`${A}/events?${life}&after=${seq}&limit=1`);
    await open(`?pane=event&event=${seq}`);
    const beside = page.locator('.event-beside p');
    await beside.nth(1).getByRole('button').click();
    await expect.poll(() => option('event')).toBe(String(events[0]!.seq));
    await beside.nth(0).getByRole('button').click();
    await expect.poll(() => option('event')).toBe(String(seq));
  });

  it('travels to the event, where nothing is later than it', async () => {
    const { seq } = await eventOf('SEED_GERMINATED');
    await open(`?pane=event&event=${seq}`);
    await page.getByRole('button', { name: 'as of here' }).click();
    await expect.poll(() => option('at')).toBe(String(seq));
    await page.getByText('later than what is shown').waitFor();
  });

  it('says of an event that it has not come yet, and forgets it', async () => {
    await open('?pane=event&event=999999');
    await page.getByText('Seq 999,999 has not come yet.').waitFor();
    await page.getByRole('button', { name: 'Forget it' }).click();
    await page.getByText('Choose an event in the log').waitFor();
    expect(option('event')).toBeNull();
  });
});

describe('the proof pane', () => {
  it('adds up, names the numbers that are missing, and is verified when it is asked for', async () => {
    await open('?pane=proof');
    await expect
      .poll(() => page.locator('.proof-sum').innerText())
      .toBe('emitted 700 = received 691 − duplicates 1 + missing 10');
    expect(await page.locator('.proof-gaps').innerText()).toMatch(/^101–110 10 missing · waiting/);
    await page.getByText('Nobody has asked for it').waitFor();
    await page.getByRole('button', { name: 'verify now' }).click();
    await page.getByText('✓ equal').waitFor();
    expect((await proof(A)).verified?.is_equal).toBe(true);
    await expect.poll(() => page.locator('.proof').innerText()).toMatch(/\d+ streams?/);
  });

  it('counts as of the event to which somebody travelled', async () => {
    const { events } = await read<EventsPage>(`${A}/events?after=-1&limit=50`);
    const at = events.at(-1)!.seq;
    await open(`?pane=proof&at=${at}`);
    await expect
      .poll(() => page.locator('.proof-sum').innerText())
      .toBe('emitted 50 = received 50 − duplicates 0 + missing 0');
  });
});

describe('the raw pane', () => {
  it('shows the state as a tree and as text, which it holds while something is selected', async () => {
    await open('?pane=raw');
    await page.locator('.json-branch summary').filter({ hasText: 'ppo' }).click();
    await page.locator('.json-leaf').filter({ hasText: 'entropy' }).waitFor();
    await page.getByRole('button', { name: 'text', exact: true }).click();
    const text = await page.locator('.raw-body pre').innerText();
    expect(JSON.parse(text)).toMatchObject({ run_id: 'side', group_id: 'A', missing: 10 });
    expect(await page.locator('.raw-curl code').innerText()).toBe(
      `curl -s '${up.addresses.gateway}/v1/runs/${A}'`,
    );
    await page.locator('.raw-body pre').click({ clickCount: 3 });
    await page.getByText('held while text is selected').waitFor();
  });
});

describe('A beside B', () => {
  it('are aligned by the round that both have reached', async () => {
    await open('?pane=ab');
    const [a, b] = await Promise.all(
      [A, B].map((key) => read<{ current_batch: number; cumulative_pruned: number }>(key)),
    );
    const round = Math.min(a!.current_batch, b!.current_batch);
    expect(a!.current_batch).toBeGreaterThan(round);
    await page.getByText(`Both as of round ${round}; A is at ${a!.current_batch} by now.`).waitFor();
    const pruned = panel().getByRole('row').filter({ hasText: 'pruned' });
    await expect.poll(() => pruned.innerText()).toMatch(/^pruned\s+\d+\s+\d+\s+[+−]?\d+$/);
    expect((await pruned.innerText()).split(/\s+/)[2]).toBe(String(b!.cumulative_pruned));
    expect(await page.getByText('The counters of A are those of').count()).toBe(0);
    await expect.poll(() => page.locator('.ab-charts figure').count()).toBe(2);
    await expect.poll(() => page.locator('.ab-lanes .lanes-box').count()).toBe(2);
  });

  it('shows B as of the round that A had reached when A is shown as of an event', async () => {
    const { events } = await read<EventsPage>(`${A}/events?type=BATCH_EPOCH_COMPLETED&after=-1&limit=2`);
    await open(`?pane=ab&at=${events.at(-1)!.seq}`);
    const labels = page.locator('.ab-lanes > div > p:first-child');
    await expect
      .poll(() => labels.allInnerTexts())
      .toEqual([`A, as of event ${events.at(-1)!.seq}`, expect.stringMatching(/^B, as of its round \d+$/)]);
    const lives = () =>
      page
        .getByRole('listbox', { name: /Lives of/ })
        .last()
        .getAttribute('aria-label');
    const past = await lives();
    await page.keyboard.press('Escape');
    await expect.poll(() => labels.allInnerTexts()).toEqual(['A', 'B']);
    await expect.poll(lives).not.toBe(past);
  });

  it('may be any other run, which is found by its name', async () => {
    await open('?pane=ab&b=local/none/default', { allows: /status of 404 .*\/local\/none\/default\// });
    await page.getByText('local/none/default has sent no event').waitFor();
    await page.getByRole('button', { name: 'choose another' }).click();
    await page.getByRole('combobox', { name: 'Add a run' }).fill('side');
    await page.getByRole('option', { name: B }).click();
    await expect.poll(() => option('b')).toBe(B);
    await page.getByText(/Both as of round/).waitFor();
  });
});
