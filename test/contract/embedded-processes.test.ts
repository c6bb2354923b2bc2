import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { describe, expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '../support/silent-logger.ts';
import { uniqueName } from '../support/unique-name.ts';
import { createTopic, numbered, readToEnd, rejectionOf } from './contract-context.ts';

interface Fact {
  readonly pid?: number;
  readonly open?: boolean;
  readonly writing?: string;
  readonly value?: string;
  readonly refused?: string;
  readonly message?: string;
  readonly topic?: string;
  readonly partition?: number;
  readonly next?: number;
}

interface Child {
  readonly pid: number;
  readonly facts: Fact[];
  /** Resolves when the whole output of the process was read. */
  readonly ended: Promise<unknown>;
  kill(): void;
  /** Asks the process to close its log and end. */
  endInput(): void;
}

const killRounds = 6;
const script = fileURLToPath(new URL('../support/embedded-child.ts', import.meta.url));

function startChild(mode: 'load' | 'follow' | 'own', folder: string, topic = ''): Child {
  return start([process.execPath, '--import', 'tsx', script, mode, folder, topic]);
}

/** Starts an owner whose parent never notices the end of its children. The first fact names the owner's pid. */
function startUnderCarelessParent(folder: string): Child {
  const owner = [process.execPath, '--import', 'tsx', script, 'own', folder];
  return start(['sh', '-c', 'exec 3<&0; "$@" <&3 & echo "{\\"pid\\":$!}"; exec sleep 600', 'sh', ...owner]);
}

function start([program = '', ...args]: readonly string[]): Child {
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const facts: Fact[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => facts.push(JSON.parse(line) as Fact));
  const ended = Promise.all([once(child, 'exit'), once(lines, 'close')]);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return {
    pid: child.pid ?? 0,
    facts,
    ended,
    kill: () => void child.kill('SIGKILL'),
    endInput: () => void child.stdin.end(),
  };
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-processes-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function liveThreads(pid: number): Promise<string[]> {
  const threads = await readdir(`/proc/${pid}/task`);
  const states = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => ') X ')),
  );
  return states.filter((state) => !/\) [ZX] /.test(state));
}

describe('an embedded log and real processes', () => {
  it('keeps acknowledged records, once and in order, when its owner is killed in the middle of the load', async () => {
    const folder = await temporaryFolder();
    const acknowledged = new Map<string, number>();
    for (let round = 0; round < killRounds; round += 1) {
      const child = startChild('load', folder);
      // Each round kills it at another moment of its work.
      const factsMin = 1 + round * 17;
      await expect.poll(() => child.facts.length, { interval: 1 }).toBeGreaterThan(factsMin);
      child.kill();
      await child.ended;
      for (const fact of child.facts) acknowledged.set(`${fact.topic}/${fact.partition}`, fact.next ?? 0);

      await using io = await openEmbedded({ folder, logger: silentLogger });
      expect(acknowledged.size).toBeGreaterThan(0);
      for (const [place, next] of acknowledged) {
        const [topic = '', partition = ''] = place.split('/');
        const { records, stableEnd } = await readToEnd(io, { topic, partition: Number(partition) });
        expect(stableEnd).toBeGreaterThanOrEqual(next);
        expect(records).toHaveLength(stableEnd);
        expect(records.findIndex((one, index) => one.offset !== index || Number(one.value) !== index)).toBe(
          -1,
        );
      }
      const [one, other] = await io.bounds('atomic');
      expect(one).toEqual(other);
    }
  });

  it('refuses a second owner by name, and opens at once when the first one was killed', async () => {
    const folder = await temporaryFolder();
    const owner = startChild('own', folder);
    await expect.poll(() => owner.facts).toEqual([{ open: true }]);

    const refusal = await rejectionOf(openEmbedded({ folder, logger: silentLogger }));
    expect(refusal.code).toBe('unusable');
    expect(refusal.message).toContain(folder);
    expect(refusal.message).toContain(`process ${owner.pid} on host `);

    owner.kill();
    await owner.ended;
    const io = await openEmbedded({ folder, logger: silentLogger });
    await io[Symbol.asyncDispose]();
  });

  it.runIf(process.platform === 'linux')(
    'opens at once when the owner was killed and its parent has not noticed',
    async () => {
      const folder = await temporaryFolder();
      const parent = startUnderCarelessParent(folder);
      await expect.poll(() => parent.facts).toHaveLength(2);
      const pid = parent.facts.find((fact) => fact.pid !== undefined)?.pid ?? 0;
      expect((await rejectionOf(openEmbedded({ folder, logger: silentLogger }))).message).toContain(
        `process ${pid} on host `,
      );
      process.kill(pid, 'SIGKILL');
      await expect.poll(() => readFile(`/proc/${pid}/stat`, 'utf8')).toContain(') Z ');
      // Its other threads may end a moment later, and may still be in a write until then.
      await expect.poll(() => liveThreads(pid)).toEqual([]);
      const io = await openEmbedded({ folder, logger: silentLogger });
      await io[Symbol.asyncDispose]();
    },
  );

  it('opens a copy of a folder beside the owner of the original, which goes on', async () => {
    const parent = await temporaryFolder();
    const [folder, copy] = [join(parent, 'log'), join(parent, 'copy')];
    const owner = startChild('own', folder);
    await expect.poll(() => owner.facts).toEqual([{ open: true }]);
    await promisify(execFile)('cp', ['-r', folder, copy]);
    await using io = await openEmbedded({ folder: copy, logger: silentLogger });
    const topic = await createTopic(io, { name: uniqueName('copied') });
    await using writer = await io.writer();
    await writer.append({ topic, partition: 0, records: numbered('in-copy', 2) });
    expect((await rejectionOf(openEmbedded({ folder, logger: silentLogger }))).message).toContain(
      `process ${owner.pid} on host `,
    );
  });

  it('is still owned when the folder was moved, and another log can begin in its place', async () => {
    const parent = await temporaryFolder();
    const [folder, moved] = [join(parent, 'log'), join(parent, 'moved')];
    const owner = startChild('own', folder);
    await expect.poll(() => owner.facts).toEqual([{ open: true }]);
    await rename(folder, moved);
    const refusal = await rejectionOf(openEmbedded({ folder: moved, logger: silentLogger }));
    expect(refusal.message).toContain(`process ${owner.pid} on host `);

    const second = startChild('own', folder);
    await expect.poll(() => second.facts).toEqual([{ open: true }]);
    owner.endInput();
    expect(await owner.ended).toMatchObject([[0, null], expect.anything()]);
    expect((await rejectionOf(openEmbedded({ folder, logger: silentLogger }))).message).toContain(
      `process ${second.pid} on host `,
    );
    const io = await openEmbedded({ folder: moved, logger: silentLogger });
    await io[Symbol.asyncDispose]();
  });

  it('hands the folder over when its owner ends properly', async () => {
    const folder = await temporaryFolder();
    const owner = startChild('own', folder);
    await expect.poll(() => owner.facts).toEqual([{ open: true }]);
    owner.endInput();
    await owner.ended;
    const io = await openEmbedded({ folder, logger: silentLogger });
    await io[Symbol.asyncDispose]();
    expect((await readdir(folder)).filter((name) => name.endsWith('.sock') || name.endsWith('.tmp'))).toEqual(
      [],
    );
  });

  it('lets exactly one of several processes own a folder whose owner was killed', async () => {
    const folder = await temporaryFolder();
    const first = startChild('own', folder);
    await expect.poll(() => first.facts).toEqual([{ open: true }]);
    first.kill();
    await first.ended;

    const contenders = [1, 2, 3, 4].map(() => startChild('own', folder));
    await expect.poll(() => contenders.every((one) => one.facts.length > 0)).toBe(true);
    expect(contenders.filter((one) => one.facts[0]?.open === true)).toHaveLength(1);
    expect(contenders.filter((one) => one.facts[0]?.refused === 'unusable')).toHaveLength(3);
  });

  it('is read by another process beside its owner, new records included, and accepts no writes from it', async () => {
    const folder = await temporaryFolder();
    await using io = await openEmbedded({ folder, logger: silentLogger });
    const topic = await createTopic(io, { name: uniqueName('followed') });
    await using writer = await io.writer();
    await writer.append({ topic, partition: 0, records: numbered('before', 2) });

    const follower = startChild('follow', folder, topic);
    const values = () => follower.facts.flatMap((fact) => (fact.value === undefined ? [] : [fact.value]));
    await expect.poll(values).toEqual(['before-0', 'before-1']);
    expect(follower.facts[0]).toEqual({ open: true, writing: 'unusable' });

    await writer.append({ topic, partition: 0, records: numbered('after', 2) });
    await expect.poll(values).toEqual(['before-0', 'before-1', 'after-0', 'after-1']);

    // A reader that dies does not affect the owner.
    follower.kill();
    await follower.ended;
    expect((await writer.append({ topic, partition: 0, records: numbered('later', 1) })).acknowledged).toBe(
      1,
    );
  });
});
