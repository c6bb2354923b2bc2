import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** What is had once for all runs on this machine. */
export const cacheFolder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'runlog');

/**
 * Returns a Python that has what a list of requirements names. It is installed once into ~/.cache/runlog, under the name
 * and a hash of the list.
 */
export async function pythonWith(name: string, requirements: string): Promise<string> {
  const hash = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 12);
  const venv = join(cacheFolder, `${name}-${hash}`);
  const python = join(venv, 'bin', 'python');
  const complete = join(venv, 'complete');
  if (existsSync(complete)) return python;
  await rm(venv, { recursive: true, force: true });
  await mkdir(cacheFolder, { recursive: true });
  await run('python3', ['-m', 'venv', venv]);
  await run(python, ['-m', 'pip', 'install', '--quiet', '--requirement', requirements]);
  await writeFile(`${complete}.new`, '');
  await rename(`${complete}.new`, complete);
  return python;
}

async function run(command: string, options: readonly string[]): Promise<void> {
  const child = spawn(command, options, { stdio: ['ignore', 'ignore', 'pipe'] });
  const [complaints, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  if (code !== 0) throw new Error(`${command} ${options.join(' ')} ended with ${code}:\n${complaints}`);
}
