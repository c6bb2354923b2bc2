import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { STREAM_PATH, STREAM_SUBPROTOCOL } from '@runlog/schema/stream/subprotocol';
import { ServiceProcess } from '../test/support/service-process.ts';
import { type Benchmark, type BenchOptions, type Result, rounded } from './benchmark.ts';
import { eventToPixel, RecordedPage, smoothness } from './page-browser.ts';
import type { PageLoadSkills } from './page-load.ts';
import { median } from './rounds.ts';
import { TalkingChild } from './talking-child.ts';

const RATES = [1_000, 5_000] as const;
const LONG_TASKS_GOAL = { 1000: 0, 5000: 3 } as const;
const EVENT_TO_PIXEL_GOAL_MS = 100;
const FIRST_LIST_GOAL_MS = 300;
const KEYSTROKE_GOAL_MS = 50;
const BUNDLE_GOAL_KIB = 90;
const FLEET = { runs: 10_000, perSecond: 1_000 } as const;
const WARM_SECONDS = 3;
const LOADS = 5;
const KEYS = '0123';
const KEY_PAUSE_MS = 1_200;
const RUN_KEY = 'local/run-0/default';

interface Parts {
  readonly url: string;
  readonly ingest: string;
  readonly load: TalkingChild<PageLoadSkills>;
  readonly browser: RecordedPage;
  readonly seconds: number;
}

/** Measures the page in a real browser. Gateway and sender are processes of their own. */
export const page: Benchmark = {
  name: 'page',
  summary: 'ms from POST to pixel, frames, long tasks and heap of the page in a real browser',
  seconds: 60,
  async run({ seconds, minutes }: BenchOptions): Promise<Result> {
    const folder = await mkdtemp(join(tmpdir(), 'runlog-bench-'));
    try {
      await using up = await ServiceProcess.start('up', { RUNLOG_DATA_DIR: folder });
      await using load = new TalkingChild<PageLoadSkills>('./page-load.ts');
      await using browser = await RecordedPage.open();
      const parts = { url: up.addresses.gateway!, ingest: up.addresses.ingest!, load, browser, seconds };
      const run = await ofRun(parts);
      const flat = minutes === undefined ? {} : { heap_over_time: await heapOverTime(parts, minutes) };
      const fleet = await ofFleet(parts);
      const figure = run[RATES[0]].event_to_pixel.p95_ms;
      return {
        figure,
        unit: 'ms from POST to pixel, p95',
        limit: EVENT_TO_PIXEL_GOAL_MS,
        limit_is: 'a goal',
        ratio: rounded(figure / EVENT_TO_PIXEL_GOAL_MS),
        how: `${RATES[0]} events/s of one run, mixed as recorded, for ${seconds} s into runlog up; from when a body was due to be posted until a frame came with the row of an event of it in the document`,
        details: { ...run, ...flat, fleet, bundle: await bundle(parts.url) },
      };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function ofRun(parts: Parts) {
  const { load, ingest, seconds } = parts;
  await load.ask('drive', { url: ingest, perSecond: RATES[0], seconds: WARM_SECONDS });
  return {
    [RATES[0]]: await ofRate(parts, RATES[0]),
    [RATES[1]]: await ofRate(parts, RATES[1]),
    limits: {
      a_page_at_rest: await atRest(parts),
      only_parsing_at_5000: await onlyParsing(parts),
      measured_for_s: Math.min(seconds, 10),
    },
  };
}

async function ofRate({ url, ingest, load, browser, seconds }: Parts, perSecond: 1_000 | 5_000) {
  await browser.goTo(`${url}/#${RUN_KEY}`);
  await browser.page.locator('main').waitFor();
  await load.ask('drive', { url: ingest, perSecond, seconds: WARM_SECONDS });
  const heapFirst = await browser.heapMib();
  const { value, recorded } = await browser.during(`run-${perSecond}`, async () => {
    const driven = await load.ask('drive', { url: ingest, perSecond, seconds });
    await delay(500);
    return driven;
  });
  return {
    ...smoothness(recorded),
    long_tasks_goal: LONG_TASKS_GOAL[perSecond],
    event_to_pixel: { ...eventToPixel(value.dueOfProbes, recorded), p95_goal_ms: EVENT_TO_PIXEL_GOAL_MS },
    heap_mib: { first: heapFirst, last: await browser.heapMib() },
    ...(value.failures === 0 ? {} : { bodies_that_failed: value.failures }),
  };
}

/** The frames of a page that does nothing. */
async function atRest({ url, browser, seconds }: Parts) {
  await browser.goTo(`${url}/#%`);
  const { recorded } = await browser.during('rest', () => delay(Math.min(seconds, 10) * 1_000));
  return smoothness(recorded);
}

/** The same stream in a page that parses every frame and draws nothing. */
async function onlyParsing({ url, ingest, load, browser, seconds }: Parts) {
  await browser.goTo(`${url}/livez`);
  await browser.page.evaluate(`
    const socket = new WebSocket('${url.replace('http', 'ws')}${STREAM_PATH}', '${STREAM_SUBPROTOCOL}');
    socket.onopen = () => socket.send(JSON.stringify({ id: 1, sub: [{ ch: 'run:${RUN_KEY}' }] }));
    socket.onmessage = ({ data }) => { for (const line of data.split('\\n')) window.parsed = JSON.parse(line); };
  `);
  const { recorded } = await browser.during('only-parsing', () =>
    load.ask('drive', { url: ingest, perSecond: RATES[1], seconds: Math.min(seconds, 10) }),
  );
  return smoothness(recorded);
}

/** The heap after each minute at the lower rate; each time after a collection, which is a long task of its own. */
async function heapOverTime({ url, ingest, load, browser }: Parts, minutes: number) {
  await browser.goTo(`${url}/#${RUN_KEY}`);
  const mib: number[] = [];
  for (let minute = 0; minute <= minutes; minute += 1) {
    mib.push(await browser.heapMib());
    if (minute < minutes) await load.ask('drive', { url: ingest, perSecond: RATES[0], seconds: 60 });
  }
  return { events_a_second: RATES[0], mib_at_each_minute: mib };
}

async function ofFleet({ url, ingest, load, browser, seconds }: Parts) {
  await load.ask('fill', { url: ingest, runs: FLEET.runs });
  const loads: number[] = [];
  for (let number = 0; number < LOADS; number += 1) {
    await browser.goTo(`${url}/#?q=fleet-run`);
    loads.push(await browser.firstRowMs());
  }
  await browser.goTo(url);
  await load.ask('change', { url: ingest, ...FLEET, seconds: WARM_SECONDS });
  const heapFirst = await browser.heapMib();
  const { recorded } = await browser.during('fleet', () =>
    load.ask('change', { url: ingest, ...FLEET, seconds }),
  );
  const heapLast = await browser.heapMib();
  const typingSeconds = (KEYS.length * KEY_PAUSE_MS) / 1_000 + 1;
  const typed = await browser.during('filter', async () => {
    const changing = load.ask('change', { url: ingest, ...FLEET, seconds: typingSeconds });
    await browser.page.keyboard.press('/');
    await browser.page.evaluate('recorder.keys = []');
    await browser.page.keyboard.type(KEYS, { delay: KEY_PAUSE_MS });
    await changing;
  });
  const { keys } = typed.recorded;
  const known = (values: readonly (number | null)[]) => values.filter((value) => value !== null);
  return {
    ...FLEET,
    ...smoothness(recorded),
    heap_mib: { first: heapFirst, last: heapLast },
    first_list: { median_ms: rounded(median(loads)), loads: loads.map(rounded), goal_ms: FIRST_LIST_GOAL_MS },
    keystroke: {
      letter_drawn_ms: known(keys.map(({ letterMs }) => letterMs)).map(rounded),
      rows_drawn_ms: known(keys.map(({ rowsMs }) => rowsMs)).map(rounded),
      goal_ms: KEYSTROKE_GOAL_MS,
    },
  };
}

/** The bytes, as they are served, of all that the page loads before it shows a run and its log. */
async function bundle(url: string) {
  const html = await (await fetch(url)).text();
  const waiting = [...html.matchAll(/assets\/([\w.-]+)/g)].map(([, file]) => file!);
  const loaded = new Map<string, number>();
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (loaded.has(file)) continue;
    const address = `${url}/assets/${file}`;
    const headers = { 'accept-encoding': 'gzip' };
    const head = await fetch(address, { method: 'HEAD', headers });
    loaded.set(file, Number(head.headers.get('content-length')));
    const text = await (await fetch(address)).text();
    const needed = text.matchAll(/(?:(?:from|import)|import\()"\.\/((?:run-view|chunk)-[\w-]+\.js)"/g);
    for (const [, name] of needed) waiting.push(name!);
  }
  const bytes = [...loaded.values()].reduce((sum, each) => sum + each, 0);
  return { run_view_gzip_kib: rounded(bytes / 1_024), goal_kib: BUNDLE_GOAL_KIB };
}
