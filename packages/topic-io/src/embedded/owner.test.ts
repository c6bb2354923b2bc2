import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { livenessOf, type OwnerIdentity, thisProcess } from './owner.ts';

const here: OwnerIdentity = {
  pid: 1,
  host: 'here',
  processStart: '500',
  bootId: 'boot-1',
  pidNamespace: 'pid:[1]',
};
const owner = (overrides: Partial<OwnerIdentity>): OwnerIdentity => ({ ...here, ...overrides });
const running =
  (...starts: [number, string][]) =>
  (pid: number): string | null =>
    new Map(starts).get(pid) ?? null;

describe('an owner', () => {
  it('is alive while a process with its pid and its start time exists', () => {
    expect(livenessOf(owner({ pid: 7, processStart: '90' }), here, running([7, '90']))).toBe('alive');
  });

  it('is dead when its pid is free, or belongs to another process now', () => {
    expect(livenessOf(owner({ pid: 7, processStart: '90' }), here, running())).toBe('dead');
    expect(livenessOf(owner({ pid: 1, processStart: '90' }), here, running([1, '500']))).toBe('dead');
  });

  it('is dead when the machine was rebooted since, whatever its pid belongs to now', () => {
    expect(livenessOf(owner({ bootId: 'boot-0' }), here, running([1, '500']))).toBe('dead');
  });

  it('cannot be judged by its pid from another container of the same machine', () => {
    expect(livenessOf(owner({ pidNamespace: 'pid:[2]' }), here, running([1, '500']))).toBe('unknown');
  });

  it('is judged by its pid alone where the system tells no more', () => {
    const elsewhere = { processStart: null, bootId: null, pidNamespace: null };
    const judge = (isRunning: boolean, host = 'here') =>
      livenessOf(owner({ ...elsewhere, host }), owner(elsewhere), running(), () => isRunning);
    expect(judge(true)).toBe('alive');
    expect(judge(false)).toBe('dead');
    expect(judge(true, 'another')).toBe('unknown');
  });

  it('finds itself alive', () => {
    expect(livenessOf(thisProcess(), thisProcess())).toBe('alive');
  });

  it.runIf(process.platform === 'linux')(
    'is dead when it has ended and its parent does not notice',
    async () => {
      const self = thisProcess();
      const parent = spawn('sh', ['-c', 'sleep 600 & echo $!; exec sleep 600'], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      onTestFinished(() => void parent.kill('SIGKILL'));
      const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
      const pid = Number(line);
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const processStart = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
      expect(livenessOf({ ...self, pid, processStart }, self)).toBe('alive');
      // Until then the parent is a shell, which notices.
      await expect.poll(() => readFileSync(`/proc/${parent.pid}/comm`, 'utf8')).toBe('sleep\n');
      process.kill(pid, 'SIGKILL');
      await expect.poll(() => livenessOf({ ...self, pid, processStart }, self)).toBe('dead');
      expect(readFileSync(`/proc/${pid}/stat`, 'utf8')).toContain(') Z ');
    },
  );
});
