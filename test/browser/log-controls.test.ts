import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gateEvaluated, otherEvent, seedFossilized, trainingStarted } from '../support/event-factory.ts';
import { pageTests } from '../support/page-tests.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { uniqueName } from '../support/unique-name.ts';

const tests = pageTests();
let system: ServiceProcess;
let folder: string;
let page: Page;
/** Each test has a run of its own. */
let run: string;
let sent: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-log-controls-'));
  system = await ServiceProcess.start('up', { RUNLOG_DATA_DIR: folder });
});
afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

type Sent = ReturnType<typeof otherEvent>;

/** Sends events of the run, in order, each a second after the one before. */
async function send(...events: Sent[]): Promise<void> {
  const timed = events.map((event) => {
    sent += 1;
    const timestamp = new Date(Date.UTC(2026, 10, 27, 7, 0, sent)).toISOString();
    return { ...event, event_id: `${run}-${sent}`, run_id: run, timestamp };
  });
  const response = await fetch(`${system.addresses.ingest}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(timed),
  });
  expect(response.status).toBe(200);
}

async function open(
  first: Sent[],
  { address = '', ...options }: BrowserContextOptions & { address?: string } = {},
): Promise<void> {
  sent = 0;
  run = uniqueName('run');
  await send(...first);
  page = await tests.open(`${system.addresses.gateway}/#local/${run}/default${address}`, {
    context: { permissions: ['clipboard-read', 'clipboard-write'], ...options },
  });
  await page.locator('.log-bar').waitFor();
}

const plateau = (overrides: Omit<Partial<Sent>, 'data'> = {}) =>
  otherEvent('PLATEAU_DETECTED', { message: 'flat', ...overrides });
const kinds = () => page.locator('.line .kind').allTextContents();
const rawTypes = () => page.locator('.raw-line:not(.raw-head) > :nth-child(2)').allTextContents();
const filterBox = () => page.getByRole('combobox', { name: 'Filter the log' });
const hash = () => decodeURIComponent(new URL(page.url()).hash);
const clipboard = () => page.evaluate(() => navigator.clipboard.readText());

describe('the filter of the log', () => {
  it('is typed with suggestions of what the run has, stands in the address, and holds for what comes', async () => {
    await open([trainingStarted(), gateEvaluated(), seedFossilized(), plateau()]);
    await expect.poll(kinds).toHaveLength(4);
    await page.keyboard.press('f');
    await page.keyboard.type('type:pl');
    await page.getByRole('option', { name: /type:plateau/ }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await expect.poll(kinds).toHaveLength(1);
    await expect.poll(hash).toContain('log=type:plateau');
    await send(gateEvaluated(), plateau());
    await expect.poll(kinds).toHaveLength(2);
    await page.getByRole('combobox').fill('');
    await expect.poll(kinds).toHaveLength(6);
  });

  it('says in one sentence what is wrong with it, and goes on showing what it showed', async () => {
    await open([trainingStarted(), plateau()]);
    await expect.poll(kinds).toHaveLength(2);
    await filterBox().fill('env:two');
    await filterBox().blur();
    await page.getByText('"two" is no environment. Write its number, as in env:2.').waitFor();
    expect(await kinds()).toHaveLength(2);
    await expect.poll(hash).not.toContain('log=');
  });

  it('has a chip for each class that occurs, with its count, which leaves the class out', async () => {
    await open([trainingStarted(), gateEvaluated(), seedFossilized(), plateau()]);
    const chip = (name: RegExp) =>
      page.getByRole('group', { name: 'Classes of events' }).getByRole('button', { name });
    await chip(/^lifecycle 2$/).waitFor();
    await chip(/^plateau/).waitFor();
    await chip(/^lifecycle/).click();
    await expect.poll(kinds).toHaveLength(2);
    expect(await chip(/^lifecycle/).getAttribute('aria-pressed')).toBe('false');
    await send(gateEvaluated());
    await chip(/^lifecycle 3$/).waitFor();
    await chip(/^lifecycle/).click();
    await expect.poll(kinds).toHaveLength(5);
  });
});

describe('the raw table', () => {
  it('shows every event newest first, stays live, and opens one to the whole', async () => {
    await open([trainingStarted(), gateEvaluated(), plateau()]);
    await expect.poll(kinds).toHaveLength(3);
    await page.keyboard.press('r');
    const header = () => page.getByRole('columnheader').allTextContents();
    await expect.poll(header).toEqual(['Time', 'Type', 'Env', 'Ep', 'Message', 'Details']);
    const shown = ['PLATEAU_DETECTED', 'SEED_GATE_EVALUATED', 'TRAINING_STARTED'];
    await expect.poll(rawTypes).toEqual(shown);
    await expect.poll(hash).toContain('raw=1');
    await send(seedFossilized());
    await expect.poll(rawTypes).toEqual(['SEED_FOSSILIZED', ...shown]);
    await page.getByText('SEED_GATE_EVALUATED').click();
    await page.locator('.raw-whole').getByText('"target_stage"').waitFor();
    await page.keyboard.press('r');
    await expect.poll(kinds).toHaveLength(4);
  });

  it('copies marked rows as one line each', async () => {
    await open([trainingStarted(), plateau({ message: 'one\ntwo' }), gateEvaluated()], { address: '?raw=1' });
    await expect.poll(rawTypes).toHaveLength(3);
    await page.getByText('SEED_GATE_EVALUATED').click();
    await page
      .getByText('TRAINING_STARTED')
      .first()
      .click({ modifiers: ['Shift'] });
    await page.keyboard.press('Control+c');
    await expect
      .poll(async () => (await clipboard()).split('\n'))
      .toEqual([
        expect.stringContaining('SEED_GATE_EVALUATED'),
        expect.stringContaining('one␊two'),
        expect.stringContaining('TRAINING_STARTED'),
      ]);
    await page.getByRole('button', { name: 'copy 3 lines' }).waitFor();
  });
});

describe('the drip', () => {
  const drip = () => page.getByRole('button', { name: 'drip: show events one after the other' });

  it('shows events a second later, one after the other, and says how late they are', async () => {
    await open([trainingStarted()]);
    await expect.poll(kinds).toHaveLength(1);
    await drip().click();
    await drip().filter({ hasText: 'drip 0.0 s' }).waitFor();
    const began = Date.now();
    await send(gateEvaluated(), plateau(), seedFossilized());
    // Both at one moment: a busy machine takes longer between two than an event is held.
    await page.waitForFunction(
      () =>
        /drip 0\.[5-9] s/.test(document.querySelector('.log-drip')!.textContent!) &&
        document.querySelectorAll('.line .kind').length === 1,
    );
    await expect.poll(kinds).toHaveLength(4);
    expect(Date.now() - began).toBeGreaterThanOrEqual(1_000);
    await drip().click();
    await send(plateau());
    await expect.poll(kinds).toHaveLength(5);
    expect(await drip().innerText()).toBe('drip');
  });

  it('holds nothing back where less motion is asked for, and while the log is paused', async () => {
    await open([trainingStarted()], { reducedMotion: 'reduce' });
    await expect.poll(kinds).toHaveLength(1);
    await drip().click();
    await send(gateEvaluated());
    await expect.poll(kinds).toHaveLength(2);
    expect(await drip().getAttribute('title')).toContain('less motion');
    await page.emulateMedia({ reducedMotion: 'no-preference' });
    await page.getByRole('button', { name: /^following/ }).click();
    await send(plateau());
    await page.getByRole('button', { name: /1 new/ }).waitFor();
    await expect.poll(() => drip().getAttribute('title')).toContain('not followed');
  });
});

describe('lines of the log', () => {
  const copiedLines = async () => (await clipboard()).split('\n');

  it('that are marked by keys are copied as one line each, also by a button that says how many', async () => {
    await open([trainingStarted(), gateEvaluated(), plateau({ message: 'one\ntwo' }), seedFossilized()]);
    await expect.poll(kinds).toHaveLength(4);
    await page.locator('.line').filter({ hasText: 'FOSS' }).click();
    await page.locator('.lines').focus();
    await page.keyboard.press('Shift+ArrowUp');
    await page.keyboard.press('Shift+ArrowUp');
    const lines = [/ {2}G2 {2}/, / {2}one␊two {2}/, / {2}FOSS {2}/].map((line) =>
      expect.stringMatching(line),
    );
    await page.keyboard.press('Control+c');
    await expect.poll(copiedLines).toEqual(lines);
    await page.evaluate(() => navigator.clipboard.writeText(''));
    await page.getByRole('button', { name: 'copy 3 lines' }).click();
    await expect.poll(copiedLines).toEqual(lines);
  });

  it('whose text is selected with the pointer are copied as one line each', async () => {
    await open([trainingStarted(), gateEvaluated(), seedFossilized()]);
    await expect.poll(kinds).toHaveLength(3);
    const from = await page.locator('.line').filter({ hasText: 'G2' }).locator('.kind').boundingBox();
    const to = await page.locator('.line').filter({ hasText: 'FOSS' }).locator('.text').boundingBox();
    await page.mouse.move(from!.x + 1, from!.y + 10);
    await page.mouse.down();
    await page.mouse.move(to!.x + 30, to!.y + 10, { steps: 5 });
    await page.mouse.up();
    await page.keyboard.press('Control+c');
    await expect
      .poll(copiedLines)
      .toEqual([expect.stringMatching(/ {2}G2 {2}/), expect.stringMatching(/ {2}FOSS {2}/)]);
  });
});

describe('a link', () => {
  it('to the selected event is copied by a key, which is said, and leads there', async () => {
    await open([trainingStarted(), gateEvaluated(), plateau()]);
    await page.locator('.line').filter({ hasText: 'PLATEAU' }).click();
    await expect.poll(hash).toContain('event=');
    await page.keyboard.press('c');
    await page
      .getByRole('status')
      .filter({ hasText: /link to event .* copied/ })
      .waitFor();
    const url = await clipboard();
    expect(url).toBe(page.url());
    await page.goto('about:blank');
    await page.goto(url);
    await page.locator('.line-selected').filter({ hasText: 'PLATEAU' }).waitFor();
  });
});

describe('a gap row', () => {
  it('is explained: whose numbers, how many, what to do, with the way to the proof', async () => {
    const numbered = (emitter_seq: number) => plateau({ emitter_id: 'emitter-1', emitter_seq });
    await open([trainingStarted(), numbered(1)]);
    await expect.poll(kinds).toHaveLength(2);
    await send(numbered(5));
    await page.getByRole('button', { name: 'what is this?' }).click();
    const details = page.getByRole('dialog', { name: 'Missing events' });
    await details.getByRole('heading', { name: '3 missing events' }).waitFor();
    await details.getByText('emitter-1').waitFor();
    await details.getByText('2–4').waitFor();
    await details.getByText('They may still come.').waitFor();
    await details.getByRole('button', { name: 'Proof of what arrived' }).click();
    await expect.poll(hash).toContain('pane=proof');
  });
});
