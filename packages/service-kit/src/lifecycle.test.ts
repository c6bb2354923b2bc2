import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';

interface Started {
  readonly process: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

const children: ChildProcess[] = [];

/** A process that runs `start` (source text) as a service. */
function service(start: string, logLevel = 'info'): Started {
  const program = `
    import { once } from 'node:events';
    import { setTimeout as delay } from 'node:timers/promises';
    import { createServer } from 'node:http';
    import { createHttpServer, listen } from '@runlog/service-kit/http-server';
    import { runProcess, StartError } from '@runlog/service-kit/lifecycle';
    import { createLogger } from '@runlog/service-kit/logger';
    import { environment, readConfig, ConfigError } from '@runlog/service-kit/read-config';
    import { TopicIoError } from '@runlog/topic-io/topic-io';
    const logger = createLogger({ service: 'test', level: '${logLevel}' });
    const alive = setInterval(() => {}, 1000);
    await runProcess(() => logger, async ({ fail }) => { ${start} });
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
    cwd: new URL('.', import.meta.url),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let stdout = '';
  let stderr = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  return { process: child, stdout: () => stdout, stderr: () => stderr, ended };
}

async function untilSaid(started: Started, text: string): Promise<void> {
  await vi.waitFor(() => expect(started.stdout() + started.stderr()).toContain(text), {
    timeout: 60_000,
    interval: 20,
  });
}

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

describe('a service as a process', () => {
  test('says ready in one JSON line, drains on SIGTERM and exits 0', async () => {
    const started = service(`
      return {
        addresses: { ingest: 'http://127.0.0.1:4000' },
        async [Symbol.asyncDispose]() { await delay(50); logger.info('drained'); },
      };
    `);
    await untilSaid(started, '"msg":"ready"');
    const ready = started
      .stdout()
      .split('\n')
      .filter((line) => line.includes('"ready"'));
    expect(ready).toHaveLength(1);
    expect(JSON.parse(ready[0]!)).toMatchObject({ level: 30, msg: 'ready', ingest: 'http://127.0.0.1:4000' });
    started.process.kill('SIGTERM');
    expect(await started.ended).toBe(0);
    expect(started.stdout()).toContain('"msg":"drained"');
  });

  test('says ready at every log level', async () => {
    const started = service(
      `return { addresses: { ingest: 'x' }, ready: Promise.resolve(), async [Symbol.asyncDispose]() {} };`,
      'error',
    );
    await untilSaid(started, '"msg":"ready"');
    expect(started.stdout().trim().split('\n')).toHaveLength(1);
  });

  test('exits at once on a second signal, when it cannot be the echo of the first', async () => {
    const started = service(
      `return { addresses: {}, ready: Promise.resolve(), async [Symbol.asyncDispose]() { await new Promise(() => {}); } };`,
    );
    await untilSaid(started, '"msg":"ready"');
    const againAndAgain = setInterval(() => started.process.kill('SIGINT'), 100);
    try {
      expect(await started.ended).toBe(1);
    } finally {
      clearInterval(againAndAgain);
    }
  });

  test('treats a signal that comes twice at once, as Ctrl-C under npm does, as one', async () => {
    // The process sends the echo to itself, so that it cannot come too late.
    const started = service(`
      return {
        addresses: {},
        ready: Promise.resolve(),
        async [Symbol.asyncDispose]() {
          const echo = once(process, 'SIGINT');
          process.kill(process.pid, 'SIGINT');
          await echo;
          logger.info('drained');
        },
      };
    `);
    await untilSaid(started, '"msg":"ready"');
    started.process.kill('SIGINT');
    expect(await started.ended).toBe(0);
    expect(started.stdout()).toContain('"msg":"drained"');
  });

  test('stops a service that was still starting when the signal came', async () => {
    const started = service(`
      const signal = once(process, 'SIGTERM');
      logger.info('starting');
      await signal;
      return { addresses: {}, async [Symbol.asyncDispose]() { logger.info('drained'); } };
    `);
    await untilSaid(started, '"msg":"starting"');
    started.process.kill('SIGTERM');
    expect(await started.ended).toBe(0);
    expect(started.stdout()).toContain('"msg":"drained"');
    expect(started.stdout()).not.toContain('"msg":"ready"');
  });

  test('exits 2 on a configuration fault and lists every fault', async () => {
    const started = service(`throw new ConfigError(['A is wrong', 'B is wrong']);`);
    expect(await started.ended).toBe(2);
    expect(started.stderr()).toBe('configuration is not usable:\n  - A is wrong\n  - B is wrong\n');
    expect(started.stdout()).toBe('');
  });

  test.each([
    [
      'of the log',
      `throw new TopicIoError('unusable', 'the folder is in use by process 7');`,
      'the folder is in use by process 7',
    ],
    ['that says what to do', `throw new StartError('set ANOTHER_PORT');`, 'set ANOTHER_PORT'],
  ])('exits 1 on a fault %s, without a stack', async (_name, start, message) => {
    const started = service(start);
    expect(await started.ended).toBe(1);
    expect(started.stderr()).toBe(`cannot start: ${message}\n`);
  });

  test('names the port that is in use', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as { port: number };
    const started = service(`
      const server = createHttpServer({ logger, bodyBytesMax: 1, health: { notReadyBecause: () => null } });
      await listen(server, { host: '127.0.0.1', port: ${port} });
      return { addresses: {}, async [Symbol.asyncDispose]() {} };
    `);
    expect(await started.ended).toBe(1);
    expect(started.stderr()).toMatch(new RegExp(`^cannot start: 127\\.0\\.0\\.1:${port} is in use[^\n]*\n$`));
    holder.close();
  });

  test('drains and exits 1 on a fault that nothing handles', async () => {
    const started = service(`
      setTimeout(() => { Promise.reject(new Error('invariant broken')); }, 50);
      return { addresses: {}, async [Symbol.asyncDispose]() { logger.info('drained'); } };
    `);
    expect(await started.ended).toBe(1);
    expect(started.stdout()).toContain('invariant broken');
    expect(started.stdout()).toContain('"msg":"drained"');
  });

  test('exits 1 when stopping fails', async () => {
    const started = service(
      `return { addresses: {}, async [Symbol.asyncDispose]() { throw new Error('disk gone'); } };`,
    );
    await untilSaid(started, '"msg":"ready"');
    started.process.kill('SIGTERM');
    expect(await started.ended).toBe(1);
    expect(started.stdout()).toContain('disk gone');
  });
});
