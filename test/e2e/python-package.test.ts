import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pythonWith } from '../support/python-venv.ts';

const run = promisify(execFile);
const client = fileURLToPath(new URL('../../clients/python', import.meta.url));

let folder: string;
/** The Python of a virtual environment that holds nothing but runlog, installed from its wheel. */
let python: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-package-'));
  const builder = await installedBuilder();
  await cp(client, join(folder, 'source'), {
    recursive: true,
    filter: (path) => !path.endsWith('__pycache__'),
  });
  await run(builder, ['-m', 'hatchling', 'build', '-d', folder], { cwd: join(folder, 'source') });
  await run('python3', ['-m', 'venv', '--without-pip', join(folder, 'venv')]);
  python = join(folder, 'venv/bin/python');
  const install = ['-m', 'pip', '--python', python, 'install', '--quiet', '--no-index', '--no-deps'];
  await run(builder, [...install, join(folder, (await built('.whl'))!)]);
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A Python with the build backend that pyproject.toml names. */
async function installedBuilder(): Promise<string> {
  const project = await readFile(join(client, 'pyproject.toml'), 'utf8');
  const backend = /^requires = \["(hatchling==[\d.]+)"\]$/m.exec(project)?.[1];
  if (backend === undefined)
    throw new Error('clients/python/pyproject.toml names no exact version of hatchling');
  const requirements = join(folder, 'requirements.txt');
  // Older versions of pip cannot install into another environment.
  await writeFile(requirements, `pip>=23\n${backend}\n`);
  return pythonWith('hatchling', requirements);
}

async function built(ending: string): Promise<string | undefined> {
  return (await readdir(folder)).find((name) => name.endsWith(ending));
}

/** Runs outside the repository, so that nothing is found but what is installed. */
const installed = async (...options: readonly string[]) =>
  (await run(python, ['-I', ...options], { cwd: folder })).stdout.trim();

describe('the Python package', () => {
  test('is called runlog-telemetry, and its module runlog', async () => {
    expect(await built('.whl')).toMatch(/^runlog_telemetry-\d+\.\d+\.\d+-py3-none-any\.whl$/);
    expect(await built('.tar.gz')).toMatch(/^runlog_telemetry-\d+\.\d+\.\d+\.tar\.gz$/);
    const named = 'import runlog; from importlib.metadata import version';
    expect(await installed('-c', `${named}; print(version("runlog-telemetry") == runlog.__version__)`)).toBe(
      'True',
    );
  });

  test('has every module of the tree, says that it is typed, and brings its licence', async () => {
    const modules = (await readdir(join(client, 'runlog_integrations')))
      .filter((name) => name.endsWith('.py'))
      .map((name) => name.slice(0, -'.py'.length));
    expect(modules).toContain('esper');
    const files = await installed(
      '-c',
      'from importlib.metadata import files; print("\\n".join(map(str, files("runlog-telemetry"))))',
    );
    const paths = files.split('\n');
    for (const module of ['__init__', '__main__', ...modules]) expect(paths).toContain(`runlog/${module}.py`);
    expect(paths).toContain('runlog/py.typed');
    expect(paths.some((path) => path.endsWith('licenses/LICENSE'))).toBe(true);
  });

  test('is imported with its submodules', async () => {
    expect(await installed('-c', 'import runlog.esper; print(runlog.esper.RunlogOutput.__module__)')).toBe(
      'runlog.esper',
    );
    await expect(installed('-c', 'import runlog.nothing')).rejects.toThrow(
      "No module named 'runlog.nothing'",
    );
  });

  test('brings its command, by module and by name', async () => {
    expect(await installed('-m', 'runlog', '--help')).toContain('drain');
    const { stdout } = await run(join(folder, 'venv/bin/runlog-py'), ['drain', folder], { cwd: folder });
    expect(stdout).toContain('0 events accepted');
  });

  test('is built from its source distribution alike', async () => {
    const builder = await installedBuilder();
    const source = (await built('.tar.gz'))!;
    await run('tar', ['xzf', source], { cwd: folder });
    const again = join(folder, 'again');
    const unpacked = join(folder, source.slice(0, -'.tar.gz'.length));
    await run(builder, ['-m', 'hatchling', 'build', '-t', 'wheel', '-d', again], { cwd: unpacked });
    const [wheel] = await readdir(again);
    expect(wheel).toBe(await built('.whl'));
    expect(await readFile(join(again, wheel!))).toEqual(await readFile(join(folder, wheel!)));
  });
});
