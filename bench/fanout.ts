import { type Benchmark, type Result, rounded } from './benchmark.ts';
import type { BareSkills } from './fanout-bare.ts';
import type { GatewaySkills } from './fanout-gateway.ts';
import { latencies } from './fanout-latency.ts';
import type { LoadSkills } from './fanout-load.ts';
import { median } from './rounds.ts';
import { TalkingChild } from './talking-child.ts';

/** Subscribers, and what each of them gets in one tick. */
interface Case {
  readonly connections: number;
  readonly runs: number;
  /** The runs that each connection has subscribed to. */
  readonly each: number;
  /** The events of each run in a tick. */
  readonly events: number;
}

const cases: Readonly<Record<string, Case>> = {
  '500 on one run': { connections: 500, runs: 1, each: 1, events: 1 },
  '1,000 on 10 runs': { connections: 1_000, runs: 10, each: 1, events: 1 },
  '5,000 on 50 runs': { connections: 5_000, runs: 50, each: 1, events: 1 },
  '500 on one run, 16 events a frame': { connections: 500, runs: 1, each: 1, events: 16 },
  '1,000 on 10 runs, 16 events a frame': { connections: 1_000, runs: 10, each: 1, events: 16 },
  '5,000 on 50 runs, 16 events a frame': { connections: 5_000, runs: 50, each: 1, events: 16 },
  '500 on ten runs each': { connections: 500, runs: 10, each: 10, events: 1 },
};
/** The case whose figures are the result. */
const SHOWN = '1,000 on 10 runs';
const WRITES_PER_SECOND = 25_000;
const WARM_ROUNDS = 3;
/** The memory of a process grows at first for other reasons, so these many do not count. */
const IDLE_CONNECTIONS_BEFORE = 2_500;
const IDLE_CONNECTIONS = 5_000;
const STORM_CONNECTIONS = 500;
/** Makes a snapshot of 46 KB, together with the log's hundred. */
const STORM_MILESTONES = 48;
const FLAGS = ['--expose-gc'];

/** The three processes: two servers that take turns, and their subscribers. */
interface Children {
  readonly gateway: TalkingChild<GatewaySkills>;
  readonly bare: TalkingChild<BareSkills>;
  readonly load: TalkingChild<LoadSkills>;
  readonly gatewayHost: string;
  readonly bareHost: string;
}

/** Measures what a frame costs that goes to many subscribers, and what a subscriber costs that waits for one. */
export const fanout: Benchmark = {
  name: 'fanout',
  summary: 'us of CPU a frame to many subscribers, beside one socket.write of a prebuilt frame',
  async run({ seconds }): Promise<Result> {
    const frames: Record<string, Awaited<ReturnType<typeof framesOf>>> = {};
    for (const [name, of] of Object.entries(cases)) {
      frames[name] = await withChildren((children) => framesOf(children, { of, seconds }));
    }
    const storm = await withChildren(stormOf);
    const idle = {
      connected: await idleOf({ subscribed: false }),
      subscribed: await idleOf({ subscribed: true }),
    };
    const shown = frames[SHOWN]!;
    return {
      figure: shown.cpu_us_a_frame,
      unit: 'us of CPU a frame',
      limit: shown.bare_us_a_write,
      limit_is: 'one socket.write of as many bytes, built once, from a server that does nothing else',
      ratio: shown.ratio,
      how: `${SHOWN}; CPU time of the whole process, without the fold, by turns of a second, medians; subscribers in another process count every frame`,
      details: { frames, storm, idle, latency: await latencies(seconds) },
    };
  },
};

async function withChildren<Value>(work: (children: Children) => Promise<Value>): Promise<Value> {
  await using gateway = new TalkingChild<GatewaySkills>('./fanout-gateway.ts', FLAGS);
  await using bare = new TalkingChild<BareSkills>('./fanout-bare.ts', FLAGS);
  await using load = new TalkingChild<LoadSkills>('./fanout-load.ts');
  const [gatewayHost, bareHost] = await Promise.all([gateway.ask('listen'), bare.ask('listen')]);
  return await work({ gateway, bare, load, gatewayHost, bareHost });
}

async function framesOf(children: Children, { of, seconds }: { of: Case; seconds: number }) {
  const { gateway, bare, load, gatewayHost, bareHost } = children;
  const { connections, runs, each, events } = of;
  const intervalMs = Math.max(20, (1_000 * connections) / WRITES_PER_SECOND);
  const ticks = Math.max(2, Math.round(1_000 / intervalMs));
  const writes = ticks * connections;
  await gateway.ask('fill', { runs, milestones: 0 });
  await load.ask('connect', { host: gatewayHost, count: connections, runs, each });
  await load.ask('connect', { host: bareHost, count: connections, runs, each });
  await load.ask('subscribe', { host: gatewayHost });
  await load.ask('counted', { snapshots: connections * each });

  const taken: { ours: number; bare: number }[] = [];
  let bytes = 0;
  for (let round = 0; round < Math.max(5, seconds / 2) + WARM_ROUNDS; round += 1) {
    const drive = { runs, ticks, intervalMs, events };
    await gateway.ask('prepare', drive);
    const ours = await cpuOf(gateway, async () => {
      await gateway.ask('drive', drive);
      const counted = await load.ask('counted', { frames: writes * each, entries: writes * each * events });
      if (counted.frames !== writes * each || counted.entries !== writes * each * events) {
        throw new Error(`subscribers got ${JSON.stringify(counted)}, not ${writes * each} frames`);
      }
      bytes = Math.round(counted.bytes / writes);
    });
    const least = await cpuOf(bare, async () => {
      await bare.ask('drive', { ticks, intervalMs, bytes });
      await load.ask('counted', { frames: writes });
    });
    if (round >= WARM_ROUNDS) taken.push({ ours: ours / writes, bare: least / writes });
  }
  const ours = median(taken.map((round) => round.ours));
  return {
    cpu_us_a_write: rounded(ours),
    cpu_us_a_frame: rounded(ours / each),
    cpu_us_an_entry: rounded(ours / each / events),
    bare_us_a_write: rounded(median(taken.map((round) => round.bare))),
    ratio: rounded(median(taken.map((round) => round.ours / round.bare))),
    bytes_a_write: bytes,
  };
}

/** What it costs that many ask for the same snapshot at once. */
async function stormOf({ gateway, bare, load, gatewayHost, bareHost }: Children) {
  const connections = { count: STORM_CONNECTIONS, runs: 1, each: 1 };
  await gateway.ask('fill', { runs: 1, milestones: STORM_MILESTONES });
  await load.ask('connect', { host: gatewayHost, ...connections });
  await load.ask('connect', { host: bareHost, ...connections });
  const taken: { ours: number; bare: number }[] = [];
  let bytes = 0;
  for (let round = 0; round < 11; round += 1) {
    await load.ask('counted', {});
    const ours = await cpuOf(gateway, async () => {
      await load.ask('subscribe', { host: gatewayHost });
      const counted = await load.ask('counted', { snapshots: STORM_CONNECTIONS });
      bytes = Math.round(counted.bytes / STORM_CONNECTIONS);
    });
    await load.ask('unsubscribe', { host: gatewayHost });
    const least = await cpuOf(bare, async () => {
      await bare.ask('drive', { ticks: 1, intervalMs: 1, bytes });
      await load.ask('counted', { frames: STORM_CONNECTIONS });
    });
    // The next storm is of another state.
    const drive = { runs: 1, ticks: 1, intervalMs: 20, events: 1 };
    await gateway.ask('prepare', drive);
    await gateway.ask('drive', drive);
    if (round > 0) taken.push({ ours: ours / STORM_CONNECTIONS, bare: least / STORM_CONNECTIONS });
  }
  return {
    cpu_us_a_snapshot: rounded(median(taken.map(({ ours }) => ours))),
    bare_us_a_write: rounded(median(taken.map((round) => round.bare))),
    ratio: rounded(median(taken.map((round) => round.ours / round.bare))),
    bytes,
  };
}

/** The resident memory of a connection that waits, beside one that `ws` alone holds. */
async function idleOf({ subscribed }: { subscribed: boolean }) {
  return await withChildren(async ({ gateway, bare, load, gatewayHost, bareHost }) => {
    const isOurs = (host: string) => host === gatewayHost;
    const come = async (host: string, of: { from: number; count: number }) => {
      await load.ask('connect', { host, count: of.count, runs: 1, each: 1 });
      if (!subscribed || !isOurs(host)) return;
      await load.ask('subscribe', { host, from: of.from });
      await load.ask('counted', { snapshots: of.count });
    };
    const grown = async (server: Pick<TalkingChild<BareSkills>, 'ask'>, host: string) => {
      await come(host, { from: 0, count: IDLE_CONNECTIONS_BEFORE });
      const before = await server.ask('rss');
      await come(host, { from: IDLE_CONNECTIONS_BEFORE, count: IDLE_CONNECTIONS });
      const kib = ((await server.ask('rss')) - before) / IDLE_CONNECTIONS / 1_024;
      await load.ask('leave', { host });
      return kib;
    };
    const ours = await grown(gateway as unknown as TalkingChild<BareSkills>, gatewayHost);
    const limit = await grown(bare, bareHost);
    return { kib: rounded(ours), bare_ws_kib: rounded(limit), ratio: rounded(ours / limit) };
  });
}

async function cpuOf(
  server: { ask(name: 'cpu'): Promise<number> },
  work: () => Promise<void>,
): Promise<number> {
  const from = await server.ask('cpu');
  await work();
  return (await server.ask('cpu')) - from;
}
