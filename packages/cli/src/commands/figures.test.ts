import { once } from 'node:events';
import { createServer } from 'node:http';
import { WriteStream } from 'node:tty';
import { figureName } from '@runlog/run-state/figures/figure-name';
import type { RunFigures } from '@runlog/schema/run/figures';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { figureOf, runFiguresOf } from '../../../../test/support/figure-factory.ts';
import { CommandError, exitCodes, UsageError } from '../command.ts';
import { command } from './figures.ts';

const RUN = 'c1/r1/default';
const LONG = `train/${'x'.repeat(80)}`;
const run = runFiguresOf([
  figureOf([40.25, 61.5]),
  figureOf([2.5, 1.5], { name: 'val_loss' }),
  figureOf([1, 2], { name: 'a,b' }),
  figureOf([1, 2], { name: figureName(LONG) }),
  figureOf([1, 2], { name: 'evil\u001b[2J\u202e' }),
]);

const closing: (() => void)[] = [];
let printed: { stdout: string; stderr: string };

beforeEach(() => {
  printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    const spy = vi.spyOn(process[name], 'write').mockImplementation((text) => {
      printed[name] += String(text);
      return true;
    });
    closing.push(() => spy.mockRestore());
  }
  atTerminal(undefined);
  vi.stubEnv('FORCE_COLOR', undefined);
  vi.stubEnv('NO_COLOR', '1');
});

afterEach(() => {
  for (const close of closing.splice(0).reverse()) close();
  vi.unstubAllEnvs();
});

/** Makes stdout a terminal of so many columns, or none. */
function atTerminal(columns: number | undefined): void {
  for (const [name, value] of [
    ['isTTY', columns !== undefined],
    ['columns', columns],
    ['getColorDepth', WriteStream.prototype.getColorDepth],
  ] as const) {
    const before = Object.getOwnPropertyDescriptor(process.stdout, name);
    Object.defineProperty(process.stdout, name, { value, configurable: true });
    closing.push(() => {
      if (before === undefined) Reflect.deleteProperty(process.stdout, name);
      else Object.defineProperty(process.stdout, name, before);
    });
  }
}

/** A gateway that has one run. Returns its address and the requests that it got. */
async function gatewayOf(figures: RunFigures) {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url!);
    const { pathname, searchParams } = new URL(request.url!, 'http://localhost');
    const names = searchParams.get('name')?.split(',');
    const known = pathname === `/v1/runs/${RUN}/figures`;
    const chosen = figures.figures.filter(({ name }) => names === undefined || names.includes(name));
    const fault = { error: { code: 'no_such_run', message: 'there is no such run' } };
    response
      .writeHead(known ? 200 : 404, { 'content-type': 'application/json' })
      .end(JSON.stringify(known ? { ...figures, figures: chosen } : fault));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${port}`, requests };
}

async function figures(args: readonly string[], of: RunFigures = run) {
  const { url, requests } = await gatewayOf(of);
  expect(await command.run([...args, '--url', url], {})).toBe(exitCodes.ok);
  return { ...printed, requests };
}

describe('runlog figures', () => {
  it('prints a table of all figures where nobody looks', async () => {
    const { stdout, stderr, requests } = await figures([RUN]);
    expect(requests).toEqual([`/v1/runs/${RUN}/figures`]);
    expect(stdout.split('\n').slice(0, 2)).toEqual([
      expect.stringMatching(/^FIGURE +FIRST → LAST +MIN +MAX +POINTS$/),
      expect.stringMatching(/^val_accuracy +40.25 → 61.5 +40.25 +61.5 +2$/),
    ]);
    expect(stderr).toBe('');
  });

  it('draws the course of each on a terminal', async () => {
    atTerminal(120);
    const { stdout } = await figures([RUN]);
    expect(stdout).toMatch(/^val_loss +█▁ +2.5 → 1.5/m);
    expect(stdout).not.toMatch(/\p{Cf}|(?!\n)\p{Cc}/u);
  });

  it('asks for one figure by its name, and draws it as wide as the terminal', async () => {
    atTerminal(70);
    const { stdout, requests } = await figures([RUN, '--name', 'val_loss']);
    expect(requests).toEqual([`/v1/runs/${RUN}/figures?name=val_loss`]);
    expect(stdout).toMatch(/^val_loss of c1\/r1\/default: 2 points\n2.5 → 1.5, min 1.5, max 2.5\n/);
    expect(stdout.split('\n')).toContain(`     └${'─'.repeat(70 - 6)}`);
  });

  it('colours a chart, unless NO_COLOR is set', async () => {
    atTerminal(70);
    // Node takes a terminal of a CI run for one without colours.
    for (const name of ['NO_COLOR', 'CI']) vi.stubEnv(name, undefined);
    vi.stubEnv('TERM', 'xterm-256color');
    const { stdout } = await figures([RUN, '--name', 'val_loss']);
    expect(stdout).toContain('\u001b[36m');
  });

  it('prints the buckets of one figure where nobody looks', async () => {
    const { stdout } = await figures([RUN, '--name', 'val_loss']);
    expect(stdout.split('\n')).toHaveLength(1 + 2 + 1);
  });

  it.each([['a,b'], [LONG]])('finds the figure %j', async (name) => {
    const { stdout } = await figures([RUN, '--name', name, '--format', 'json']);
    expect((JSON.parse(stdout) as RunFigures).figures.map((figure) => figure.name)).toEqual([
      figureName(name),
    ]);
  });

  it('prints the document as JSON that is safe to print', async () => {
    const { stdout } = await figures([RUN, '--format', 'json']);
    expect(JSON.parse(stdout)).toEqual(run);
    expect(stdout).not.toMatch(/\p{Cf}|(?!\n)\p{Cc}/u);
  });

  it('prints CSV with the names as they are, or safe to print on a terminal', async () => {
    expect((await figures([RUN, '--format', 'csv'])).stdout).toContain('evil\u001b[2J\u202e,0,0,');
    printed.stdout = '';
    atTerminal(80);
    expect((await figures([RUN, '--format', 'csv'])).stdout).toContain('evil�[2J�,0,0,');
  });

  it.each([[], ['--format', 'csv'], ['--format', 'json']].map((args) => [args]))(
    'says once on stderr, with %j, which figures are not kept',
    async (args) => {
      const { stderr } = await figures([RUN, ...args], { ...run, figures_refused: 1, refused: ['late'] });
      expect(stderr).toBe(
        'runlog figures: 1 more figure is not kept, because a run keeps its first 48: late\n',
      );
    },
  );

  it('says that a run has no figures', async () => {
    const { stdout, stderr } = await figures([RUN], runFiguresOf([]));
    expect([stdout, stderr]).toEqual([
      '',
      'runlog figures: c1/r1/default has no figures: no event of it holds one\n',
    ]);
  });

  it('names the figures that there are if there is no such figure', async () => {
    const { url } = await gatewayOf(run);
    const failed = command.run([RUN, '--name', 'val_acuracy', '--url', url], {});
    await expect(failed).rejects.toThrow(
      'c1/r1/default has no figure "val_acuracy". Did you mean "val_accuracy"?\nIt has: val_accuracy, val_loss, a,b, train/',
    );
    await expect(failed).rejects.toThrow(CommandError);
  });

  it('says that a figure came too late to be kept', async () => {
    const { url } = await gatewayOf({ ...run, figures_refused: 1, refused: ['late'] });
    await expect(command.run([RUN, '--name', 'late', '--url', url], {})).rejects.toThrow(
      'nothing of the figure "late" of c1/r1/default is kept: 1 more figure is not kept, because a run keeps its first 48: late',
    );
  });

  it.each([[[]], [['--name', 'val_loss']]])('says that there is no such run, with %j', async (args) => {
    const { url } = await gatewayOf(run);
    await expect(command.run(['c1/other/default', ...args, '--url', url], {})).rejects.toThrow(
      'there is no run c1/other/default; "runlog runs" lists those that are there',
    );
  });

  it('refuses another format before it asks', async () => {
    await expect(command.run([RUN, '--format', 'xml'], {})).rejects.toThrow(UsageError);
  });
});
