import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { type CliProcess, runCli, startCli } from '../support/cli-process.ts';
import { REBUILT_PARTITIONS, RebuiltSystem } from '../support/rebuilt-system.ts';
import { stopProcess } from '../support/stop-process.ts';

const WAIT = { timeout: 60_000, interval: 100 };
/**
 * If a rebuild is over before it can be killed, or before the other one begins, another is tried, at most this often.
 */
const ATTEMPTS_MAX = 20;
const GONE = 'the command that asked for work is gone';

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

  /** What a rebuild had written when it was killed. It had written to some partitions and not to all. */
  interface Torn {
    readonly from: string;
    readonly target: string;
    readonly written: readonly ReadonlyMap<string, number>[];
  }

  /** Returns the process in which a rebuild works. */
  function worker(cli: CliProcess): number {
    return engine === 'kafka' ? cli.process.pid! : system.services.pid;
  }

  /**
   * Stops the rebuild and leaves it stopped if it has written some partitions and most are still to come. Returns null
   * if it was beyond that before it could be stopped. The process is stopped while the test checks its progress, so the
   * check may take any time.
   */
  async function stoppedInTheMiddle(cli: CliProcess): Promise<Pick<Torn, 'from' | 'target'> | null> {
    const pid = worker(cli);
    const isOver = () => cli.process.exitCode !== null;
    return await system.beside(async (view) => {
      const { snapshots: from } = await view.meta();
      const target = view.topicAfter(from);
      const look = async (): Promise<'before' | 'middle' | 'beyond'> => {
        if (isOver()) return 'beyond';
        if (!(await view.exists(target))) return 'before';
        await stopProcess(pid);
        const written = (await view.snapshotOffsets(target)).filter(({ size }) => size > 0).length;
        if (written > 0 && written <= REBUILT_PARTITIONS / 2) return 'middle';
        process.kill(pid, 'SIGCONT');
        return written === 0 ? 'before' : 'beyond';
      };
      let found: Awaited<ReturnType<typeof look>> = 'before';
      await expect
        .poll(
          async () => {
            found = await look();
            return found;
          },
          { interval: 2 },
        )
        .not.toBe('before');
      return (found as string) === 'middle' ? { from, target } : null;
    });
  }

  /** Starts rebuilds until one can be killed in the middle. */
  async function killed(kill: (cli: CliProcess, from: string) => Promise<void>): Promise<Torn> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
      const cli = rebuild();
      const torn = await stoppedInTheMiddle(cli);
      if (torn === null) {
        await cli.ended;
        continue;
      }
      await kill(cli, torn.from);
      const written = await system.beside((view) => view.snapshotOffsets(torn.target));
      const { snapshots } = await system.beside((view) => view.meta());
      if (snapshots === torn.from && written.some(({ size }) => size === 0)) return { ...torn, written };
      if (!system.hasServices) await system.startServices();
    }
    throw new Error(`each of ${ATTEMPTS_MAX} rebuilds was over before it could be killed`);
  }

  /**
   * Runs two rebuilds at once, and tries again if one was over before the other began. Resolves to the one that exited
   * with 1.
   */
  async function overtaken(...args: string[]): Promise<{ from: string; loser: CliProcess }> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
      const { snapshots: from } = await system.beside((view) => view.meta());
      const both = [rebuild(...args), rebuild(...args)];
      const codes = await Promise.all(both.map(({ ended }) => ended));
      if (codes.every((code) => code === 0)) continue;
      expect([...codes].sort(), both.map((cli) => cli.stderr()).join('\n')).toEqual([0, 1]);
      return { from, loser: both[codes.indexOf(1)]! };
    }
    throw new Error(`${ATTEMPTS_MAX} times the one was over before the other began`);
  }

  function countOf(said: string): number {
    return system.services.output.split(said).length - 1;
  }

  async function verified(): Promise<void> {
    await vi.waitFor(async () => {
      const { code, stdout } = await runCli(['verify', '--json'], system.env);
      expect(JSON.parse(stdout)).toMatchObject({ ok: true, compared: system.runs });
      expect(code).toBe(0);
    }, WAIT);
  }

  /** Checks that a new rebuild continues where the killed one was, switches, and keeps the former topic. */
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

  it('continues where it was after a kill -9, and keeps the former topic', async () => {
    const torn = await killed(async (cli) => {
      if (engine === 'kafka') cli.process.kill('SIGKILL');
      else await system.endServices('SIGKILL');
      expect(await cli.ended).toBe(engine === 'kafka' ? 'SIGKILL' : 1);
      if (engine === 'embedded') expect(cli.stderr()).toContain('ended while it was working; ask again');
    });
    if (!system.hasServices) await system.startServices();
    await goesOn(torn);
  });

  it('gives way to another one that is started meanwhile, and drops the former topic if told to', async () => {
    const { from, loser } = await overtaken('--drop-old');
    expect(loser.stderr()).toMatch(
      /runlog rebuild: (another rebuild took over|the snapshots were switched to \S+ meanwhile)/,
    );
    await system.beside(async (view) => {
      expect((await view.meta()).snapshots).toBe(view.topicAfter(from));
      await vi.waitFor(async () => expect(await view.exists(from)).toBe(false), WAIT);
    });
    await verified();
  });

  if (engine === 'embedded') {
    it('ends in the owner when the command that asked for it ends, and continues with the next command', async () => {
      const torn = await killed(async (cli, from) => {
        const wasGone = countOf(GONE);
        cli.process.kill('SIGKILL');
        await cli.ended;
        process.kill(system.services.pid, 'SIGCONT');
        // Or the rebuild was finished before the owner noticed.
        const isThrough = () => system.beside(async (view) => (await view.meta()).snapshots !== from);
        await expect.poll(async () => countOf(GONE) > wasGone || (await isThrough())).toBe(true);
      });
      expect(system.services.ended).toBe(false);
      await goesOn(torn);
    });

    it('is refused while another one owns the folder, even if no service runs', async () => {
      await system.endServices('SIGTERM');
      const { loser } = await overtaken();
      expect(loser.stderr()).toContain(`${system.env.RUNLOG_DATA_DIR} is in use by process`);
    });
  }
});
