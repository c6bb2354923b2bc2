import { setTimeout as delay } from 'node:timers/promises';
import type { IndexSubscription } from '@runlog/schema/stream/subscriptions';
import { type Benchmark, type Result, rounded } from './benchmark.ts';
import type { BareSkills } from './fanout-bare.ts';
import type { IndexGatewaySkills } from './index-gateway.ts';
import type { IndexLoadSkills } from './index-load.ts';
import { median } from './rounds.ts';
import { TalkingChild } from './talking-child.ts';

const RUNS = 10_000;
const PAGE = 1_000;
const SHARED = 200;
/** Connections that each ask for a thousand views in one frame. */
const MANY = 7;
const CHANGES_PER_SECOND = [1_000, 3_000] as const;
/** Beside the pages that show every run, and the view that many share. */
const others: readonly IndexSubscription[] = [
  { ch: 'runs:*', q: 'run-00' },
  { ch: 'runs:*', status: ['failed', 'lost_contact'] },
  { ch: 'runs:*', sort: '-accuracy' },
  { ch: 'runs:c1/*', sort: '-events', limit: 50 },
  { ch: 'runs:*', sort: 'state', limit: 100 },
  { ch: 'runs:*', group_by: 'task_name', sort: 'state', limit: 100 },
  { ch: 'runs:*', where: ['accuracy>80'], limit: 100 },
];

interface Children {
  readonly gateway: TalkingChild<IndexGatewaySkills>;
  readonly bare: TalkingChild<BareSkills>;
  readonly load: TalkingChild<IndexLoadSkills>;
  readonly bareLoad: TalkingChild<IndexLoadSkills>;
}

/** Measures how old the rows of the index are that clients see, and what the views cost. */
export const indexViews: Benchmark = {
  name: 'index',
  summary: 'ms of CPU a second for index views over 10,000 runs, and how old visible rows are',
  async run({ seconds }): Promise<Result> {
    await using gateway = new TalkingChild<IndexGatewaySkills>('./index-gateway.ts');
    await using bare = new TalkingChild<BareSkills>('./fanout-bare.ts');
    await using load = new TalkingChild<IndexLoadSkills>('./index-load.ts');
    await using bareLoad = new TalkingChild<IndexLoadSkills>('./index-load.ts');
    const children = { gateway, bare, load, bareLoad };
    await gateway.ask('fill', { runs: RUNS });
    const alone = await Promise.all(
      // Without views, a change costs the fold alone.
      [CHANGES_PER_SECOND[0]].map((perSecond) => cpuMsPerSecond(children, { perSecond, seconds })),
    );
    const joined = await join(children);
    const loads = [];
    for (const perSecond of CHANGES_PER_SECOND) loads.push(await measure(children, { perSecond, seconds }));
    const [shown] = loads;
    const views = shown!.cpu_ms_a_second - alone[0]!;
    const limit = await bareMsPerSecond(children, { bytes: shown!.bytes_a_second, seconds });
    return {
      figure: rounded(views),
      unit: 'ms of CPU a second',
      limit: rounded(limit),
      limit_is:
        'one socket.write a second of as many bytes to as many clients, built once, from a bare server',
      ratio: rounded(views / limit),
      how: `${RUNS} runs of which ${CHANGES_PER_SECOND[0]} change each second; ten views show them all, ${others.length} others filter, sort and group, ${SHARED} clients share one of 200 rows; without the fold, which alone takes ${rounded(alone[0]!)} ms`,
      details: { joined, loads },
    };
  },
};

/** Lets everybody subscribe, and says what that costs. */
async function join({ gateway, bare, load, bareLoad }: Children) {
  const host = await gateway.ask('listen');
  const pages = RUNS / PAGE;
  await load.ask('connect', { host, count: pages + others.length + SHARED + MANY });
  await bareLoad.ask('connect', { host: await bare.ask('listen'), count: SHARED, path: '/' });
  for (let page = 0; page < pages; page += 1) {
    const asked: IndexSubscription = { ch: 'runs:*', sort: 'run_id', limit: PAGE, offset: page * PAGE };
    await load.ask('subscribe', { from: page, count: 1, asked, isRead: true });
  }
  for (const [at, asked] of others.entries()) {
    await load.ask('subscribe', { from: pages + at, count: 1, asked });
  }
  await gateway.ask('blockedMs');
  const ms = await load.ask('subscribe', {
    ...{ from: pages + others.length, count: SHARED },
    asked: { ch: 'runs:*' },
  });
  const blockedMs = await gateway.ask('blockedMs');
  const ofMany: number[] = [];
  for (let at = 0; at < MANY; at += 1) {
    const cpu = await gateway.ask('cpu');
    await load.ask('askForMany', { from: pages + others.length + SHARED + at, views: 1_000 });
    ofMany.push(((await gateway.ask('cpu')) - cpu) / 1_000);
  }
  return {
    [`${SHARED}_joins_ms`]: rounded(ms),
    [`${SHARED}_joins_block_ms`]: rounded(blockedMs),
    '1000_globs_in_a_frame_cpu_ms': rounded(median(ofMany)),
  };
}

async function measure(children: Children, of: { perSecond: number; seconds: number }) {
  const { gateway, load } = children;
  await load.ask('counted');
  await load.ask('ages');
  await gateway.ask('blockedMs');
  const cpu = await cpuMsPerSecond(children, of);
  const blockedMs = await gateway.ask('blockedMs');
  await delay(2_000);
  const [held, truth] = [await load.ask('seqs'), await gateway.ask('seqs')];
  const counted = await load.ask('counted');
  const { p50, p99, most, rows } = await load.ask('ages');
  return {
    changes_a_second: of.perSecond,
    cpu_ms_a_second: rounded(cpu),
    bytes_a_second: Math.round(counted.bytes / of.seconds),
    rows_a_second: Math.round(rows / of.seconds),
    age_ms: { p50, p99, most },
    starved: Object.entries(truth).filter(([key, seq]) => held[key] !== seq).length,
    blocked_ms: rounded(blockedMs),
  };
}

async function cpuMsPerSecond({ gateway }: Children, of: { perSecond: number; seconds: number }) {
  const from = await gateway.ask('cpu');
  await gateway.ask('drive', { runs: RUNS, ...of });
  return ((await gateway.ask('cpu')) - from) / 1_000 / of.seconds;
}

async function bareMsPerSecond({ bare }: Children, of: { bytes: number; seconds: number }) {
  const from = await bare.ask('cpu');
  await bare.ask('drive', { ticks: of.seconds, intervalMs: 1_000, bytes: Math.round(of.bytes / SHARED) });
  return ((await bare.ask('cpu')) - from) / 1_000 / of.seconds;
}
