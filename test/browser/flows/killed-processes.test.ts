import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { runCli } from '../../support/cli-process.ts';
import { noteText } from '../../support/embedded-ingest.ts';
import { freePort } from '../../support/free-ports.ts';
import { pageTests, WHILE_AWAY } from '../../support/page-tests.ts';
import { ServiceProcess } from '../../support/service-process.ts';
import { logOf, rowOf, rowTexts } from '../../support/shown-log.ts';
import { uniqueName } from '../../support/unique-name.ts';

const RUN = 'local/r1/default';

const { open } = pageTests();
const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

/** Events that the log shows a row each: `note-1`, `note-2`, …, one a second of the sender's clock. */
function notes(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, at) =>
    noteText({
      event_id: `event-${first + at}`,
      timestamp: new Date(Date.UTC(2026, 0, 3) + (first + at) * 1_000).toISOString(),
      message: `note-${first + at}.`,
    }),
  );
}

async function post(ingest: string, lines: readonly string[]): Promise<void> {
  const response = await fetch(`${ingest}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  expect(await response.json()).toMatchObject({ accepted: lines.length });
}

/** Reads all of the log by scrolling from its beginning to its end, and returns the numbers of its notes in their order. */
async function readFromTheBeginning(page: Page): Promise<number[]> {
  await logOf(page).focus();
  await page.keyboard.press('g');
  await rowOf(page, 'note-1.').waitFor();
  const found: number[] = [];
  for (;;) {
    const texts = await rowTexts(page);
    for (const text of texts) {
      const number = Number(/note-(\d+)\./.exec(text)?.[1]);
      // Rows that were in the page before are in it again; each new one must be below them.
      if (number > (found.at(-1) ?? 0)) found.push(number);
    }
    const isAtEnd = await logOf(page).evaluate((list) => {
      const { scrollHeight, scrollTop, clientHeight } = list;
      list.scrollTop = scrollTop + clientHeight / 2;
      return scrollHeight - scrollTop - clientHeight < 2;
    });
    const numbers = texts.map((text) => /note-\d+\./.exec(text)?.[0]).filter((text) => text !== undefined);
    expect(new Set(numbers).size).toBe(numbers.length);
    if (isAtEnd) return found;
    await page.evaluate(
      () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
    );
  }
}

const upTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1);

describe('a page whose gateway is killed by kill -9', () => {
  it.each(['gateway', 'up'] as const)(
    '%s: it has every row once when it is back, also those that came meanwhile',
    async (killed) => {
      const port = String(await freePort());
      const ingestPort = String(await freePort());
      const start = await deployment(killed, { port, ingestPort });
      let process = await start();
      ending.push(() => process.end('SIGKILL'));
      const url = `http://127.0.0.1:${port}`;
      const ingest = `http://127.0.0.1:${ingestPort}`;
      await post(ingest, notes(1, 30));
      const page = await open(`${url}/#${RUN}`, { allows: WHILE_AWAY });
      await rowOf(page, 'note-30.').waitFor();
      // More than what a delta holds comes while nobody reads.
      let sent = 30;
      for (let kill = 0; kill < 2; kill += 1) {
        await process.end('SIGKILL');
        await page.getByText(/trying again in \d+ s/).waitFor();
        if (killed === 'gateway') await post(ingest, notes(sent + 1, sent + 250));
        process = await start();
        if (killed === 'up') await post(ingest, notes(sent + 1, sent + 250));
        sent += 250;
        await rowOf(page, `note-${sent}.`).waitFor();
        await post(ingest, notes(sent + 1, sent + 1));
        sent += 1;
        await rowOf(page, `note-${sent}.`).waitFor();
      }
      await page.getByText(/^. ?connected/).waitFor();
      await page.getByText('unknown since').waitFor({ state: 'detached' });
      expect(await readFromTheBeginning(page)).toEqual(upTo(sent));
      expect(await page.getByText('left out here').count()).toBe(0);
    },
  );

  it('a run that is deleted while it is watched leaves nothing, and begins anew', async () => {
    const folder = await folderOfItsOwn();
    await using up = await ServiceProcess.start('up', { RUNLOG_DATA_DIR: folder });
    await post(up.addresses.ingest!, notes(1, 3));
    await using page = await open(`${up.addresses.gateway}/#${RUN}`);
    await rowOf(page, 'note-3.').waitFor();
    const deleted = await runCli(['delete', RUN], { RUNLOG_DATA_DIR: folder });
    expect(deleted).toMatchObject({ code: 0 });
    await page.getByRole('heading', { name: 'Deleted', exact: true }).waitFor();
    expect(await page.locator('body').innerText()).not.toContain('note-');
    await post(up.addresses.ingest!, notes(7, 7));
    await rowOf(page, 'note-7.').waitFor();
    expect(await page.locator('body').innerText()).not.toContain('note-3.');
  });
});

async function folderOfItsOwn(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-page-'));
  ending.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts what surrounds the process that is killed, and returns how to start that. */
async function deployment(
  killed: 'gateway' | 'up',
  { port, ingestPort }: { port: string; ingestPort: string },
): Promise<() => Promise<ServiceProcess>> {
  const ports = { RUNLOG_GATEWAY_PORT: port, RUNLOG_INGEST_PORT: ingestPort };
  if (killed === 'up') {
    const folder = await folderOfItsOwn();
    return () => ServiceProcess.start('up', { RUNLOG_DATA_DIR: folder, ...ports });
  }
  const env = {
    KAFKA_BROKERS: inject('kafkaBrokers').join(','),
    RUNLOG_TOPIC_PREFIX: `${uniqueName('page')}-`,
    RUNLOG_PARTITIONS: '2',
    ...ports,
  };
  const others = await Promise.all([
    ServiceProcess.start('ingest', env),
    ServiceProcess.start('aggregator', env),
  ]);
  ending.push(() => Promise.all(others.map((other) => other.end('SIGKILL'))));
  return () => ServiceProcess.start('gateway', env);
}
