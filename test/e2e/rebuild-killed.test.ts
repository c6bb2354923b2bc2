import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { type CliProcess, runCli, startCli } from '../support/cli-process.ts';
import { RebuiltSystem } from '../support/rebuilt-system.ts';

const WAIT = { timeout: 60_000, interval: 100 };
/** A rebuild that was over before it could be killed is followed by the next one. */
const KILLS_MAX = 5;

const engines = {
  kafka: () => RebuiltSystem.onKafka(inject('kafkaBrokers')),
  embedded: () => RebuiltSystem.onEmbedded(),
};

describe.each(['kafka', 'embedded'] as const)('runlog rebuild on %s', (engine) => {
  let system: RebuiltSystem;
  const asked: CliProcess[] = [];
  beforeAll(async () => {
    system = await engines[engine]();
    await system.startServices();
  });
  afterEach(async () => {
    for (const cli of asked.splice(0)) {
      cli.process.kill('SIGKILL');
      await cli.ended;
    }
  });
  afterAll(async () => {
    await system?.[Symbol.asyncDispose]();
  });

  function rebuild(...args: string[]): CliProcess {
    const cli = startCli(['rebuild', ...args], system.env);
    asked.push(cli);
    return cli;
  }

  /** What a rebuild had written when it was killed: to some partitions, not to all. */
  interface Torn {
    readonly from: string;
    readonly target: string;
    readonly written: readonly ReadonlyMap<string, number>[];
  }

  /** Starts rebuilds until one can be killed in the middle. */
  async function killed(kill: (cli: CliProcess) => Promise<void>): Promise<Torn> {
    for (let attempt = 1; attempt <= KILLS_MAX; attempt += 1) {
      const cli = rebuild();
      const torn = await system.beside(async (view) => {
        const { snapshots: from } = await view.meta();
        const target = view.topicAfter(from);
        await expect
          .poll(async () => (await view.snapshotOffsets(target)).some(({ size }) => size > 0), {
            timeout: 60_000,
            interval: 5,
          })
          .toBe(true);
        await kill(cli);
        return { from, target };
      });
      const written = await system.beside((view) => view.snapshotOffsets(torn.target));
      const { snapshots } = await system.beside((view) => view.meta());
      if (snapshots === torn.from && written.some(({ size }) => size === 0)) return { ...torn, written };
      await cli.ended;
    }
    throw new Error(`each of ${KILLS_MAX} rebuilds was over before it could be killed`);
  }

  async function verified(): Promise<void> {
    await vi.waitFor(async () => {
      const { code, stdout } = await runCli(['verify', '--json'], system.env);
      expect(JSON.parse(stdout)).toMatchObject({ ok: true, compared: system.runs });
      expect(code).toBe(0);
    }, WAIT);
  }

  /** Goes on where the killed one was, switches, and leaves the former topic. */
  async function goesOn({ from, target, written }: Torn): Promise<void> {
    const { code, stdout, stderr } = await runCli(['rebuild', '--json'], system.env);
    expect(stderr).not.toContain('runlog rebuild:');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ resumed: true, runs: system.runs },
      meta: { epoch: 'first', snapshots: target },
      before: { differences: [] },
    });
    await system.beside(async (view) => {
      expect(await view.meta()).toMatchObject({ epoch: 'first', snapshots: target });
      expect(await view.exists(from)).toBe(true);
      const now = await view.snapshotOffsets(target);
      const before = written.flatMap((offsets) => [...offsets]);
      expect(before.length).toBeGreaterThan(0);
      const after = new Map(now.flatMap((offsets) => [...offsets]));
      expect(before.map(([key]) => [key, after.get(key)])).toEqual(before);
    });
    await verified();
  }

  it('goes on where it was after a kill -9, and keeps the former topic', async () => {
    const torn = await killed(async (cli) => {
      if (engine === 'kafka') cli.process.kill('SIGKILL');
      else await system.endServices('SIGKILL');
      expect(await cli.ended).toBe(engine === 'kafka' ? 'SIGKILL' : 1);
      if (engine === 'embedded') expect(cli.stderr()).toContain('ended while it was working; ask again');
    });
    if (engine === 'embedded') await system.startServices();
    await goesOn(torn);
  });

  it('gives way to another one that is started meanwhile, and drops the former topic when it is told to', async () => {
    const { snapshots: from } = await system.beside((view) => view.meta());
    const both = [rebuild('--drop-old'), rebuild('--drop-old')];
    const codes = await Promise.all(both.map(({ ended }) => ended));
    expect([...codes].sort()).toEqual([0, 1]);
    expect(both[codes.indexOf(1)]!.stderr()).toMatch(
      /runlog rebuild: (another rebuild took over|the snapshots were switched to \S+ meanwhile)/,
    );
    await system.beside(async (view) => {
      expect((await view.meta()).snapshots).toBe(view.topicAfter(from));
      await vi.waitFor(async () => expect(await view.exists(from)).toBe(false), WAIT);
    });
    await verified();
  });

  if (engine === 'embedded') {
    it('ends in the owner with the command that asked for it, and goes on with the next', async () => {
      const torn = await killed(async (cli) => {
        cli.process.kill('SIGKILL');
        await cli.ended;
      });
      expect(system.services.ended).toBe(false);
      await goesOn(torn);
    });

    it('is refused while another one owns the folder, where no service runs', async () => {
      await system.endServices('SIGTERM');
      const both = [rebuild(), rebuild()];
      const codes = await Promise.all(both.map(({ ended }) => ended));
      expect([...codes].sort()).toEqual([0, 1]);
      expect(both[codes.indexOf(1)]!.stderr()).toContain(`${system.env.RUNLOG_DATA_DIR}`);
    });
  }
});
