import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeKeyFile } from '../../test/support/key-file.ts';
import { ServiceProcess } from '../../test/support/service-process.ts';
import { startLiveFeed } from './live-feed.ts';
import { fleetOf1, fleetOf71, fleetOf10000, flood } from './picture-fleets.ts';
import { writePictureLog } from './picture-log.ts';
import type { MadeRun } from './picture-runs.ts';
import type { Scene } from './picture-views.ts';

export interface SceneGateway extends AsyncDisposable {
  readonly url: string;
  /** A key that sees the runs of c1 alone, where keys are needed. */
  readonly viewerKey: string;
  /** Ends the gateway; what pages show then is an outage. */
  stop(): Promise<void>;
}

const READY_MS_MAX = 300_000;
const WARM_MS = 6_000;
/** Runs are made up to so long from now, because the system takes a while to start: otherwise each has a pause in it. */
const LEAD_MS = 15_000;

interface Made {
  readonly runs: readonly MadeRun[];
  /** Events that each living run sends a second. */
  readonly perSecond: number;
  readonly hasKeys?: boolean;
}

const scenes: Readonly<Record<Scene, (nowMs: number) => Made>> = {
  empty: () => ({ runs: [], perSecond: 0 }),
  one: (nowMs) => ({ runs: fleetOf1(nowMs), perSecond: 0 }),
  usual: (nowMs) => ({ runs: fleetOf71(nowMs), perSecond: 4 }),
  ending: (nowMs) => ({ runs: fleetOf71(nowMs), perSecond: 4 }),
  many: (nowMs) => ({ runs: fleetOf10000(nowMs), perSecond: 0.1 }),
  flood: (nowMs) => ({ runs: [...fleetOf1(nowMs), flood(nowMs)], perSecond: 1_500 }),
  keys: (nowMs) => ({ runs: fleetOf71(nowMs), perSecond: 0, hasKeys: true }),
};

/** Starts the whole system over the runs of a scene, in a folder below `work`. */
export async function openScene(scene: Scene, work: string): Promise<SceneGateway> {
  const folder = await mkdtemp(join(work, `${scene}-`));
  const nowMs = Date.now() + LEAD_MS;
  const { runs, perSecond, hasKeys = false } = scenes[scene](nowMs);
  await writePictureLog(folder, runs);
  const opened: AsyncDisposable[] = [];
  const closeAll = async () => {
    while (opened.length > 0) await opened.pop()![Symbol.asyncDispose]();
  };
  try {
    const env: Record<string, string> = { RUNLOG_DATA_DIR: folder };
    let viewerKey = '';
    if (hasKeys) {
      const keys = await makeKeyFile();
      opened.push(keys);
      viewerKey = await keys.add('viewer', { role: 'view', runs: ['c1/*'] });
      env.RUNLOG_KEYS_FILE = keys.path;
    }
    const up = await ServiceProcess.start('up', env, { readyMsMax: READY_MS_MAX });
    opened.push(up);
    await delay(Math.max(0, nowMs - Date.now()));
    if (perSecond > 0) {
      opened.push(startLiveFeed({ ingestUrl: up.addresses.ingest!, runs, perSecond }));
      await delay(WARM_MS);
    }
    return {
      ...{ url: up.addresses.gateway!, viewerKey },
      stop: async () => void (await up.end('SIGKILL')),
      [Symbol.asyncDispose]: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}
