import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { pythonWith } from './python-venv.ts';

const scripts = fileURLToPath(new URL('../../scripts/formats', import.meta.url));

export const formatTools = ['tensorboard', 'wandb', 'mlflow'] as const;

/**
 * Lets today's tools, and older versions of them, write their files into a folder, and puts beside them what the tools'
 * own readers see in them, as `TOOL.json`. The tools are installed once into ~/.cache/runlog.
 */
export async function recordFormats(folder: string): Promise<void> {
  const [current, older] = [await installed('requirements.txt'), await installed('requirements-older.txt')];
  // The tools note down the path of their program, and the repository that it is in.
  const program = join(folder, 'train.py');
  await copyFile(join(scripts, 'write.py'), program);
  await run([current, program, folder, 'current'], folder);
  await run([older, program, folder, 'older'], folder);
  for (const tool of formatTools) {
    // Later versions of wandb have no reader in Python.
    const reader = tool === 'wandb' ? older : current;
    const seen = await run([reader, join(scripts, 'read.py'), folder, tool], folder);
    await writeFile(join(folder, `${tool}.json`), seen);
  }
}

function installed(requirements: string): Promise<string> {
  return pythonWith('formats', join(scripts, requirements));
}

async function run([command, ...options]: readonly string[], cwd = scripts): Promise<string> {
  const child = spawn(command!, options, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  const [output, complaints, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  if (code !== 0) throw new Error(`${command} ${options.join(' ')} ended with ${code}:\n${complaints}`);
  return output;
}
