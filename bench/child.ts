import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * Runs a script of this folder with one argument of JSON, and resolves to the JSON line that it prints. `flags` are
 * Node's.
 */
export function runChild<Task, Answer>(
  script: string,
  task: Task,
  flags: readonly string[] = [],
): Promise<Answer> {
  const file = fileURLToPath(new URL(script, import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...flags, '--import', 'tsx', file, JSON.stringify(task)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    let output = '';
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString();
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      process.removeListener('exit', kill);
      const line = output.trim().split('\n').at(-1) ?? '';
      if (code === 0 && line.startsWith('{')) resolve(JSON.parse(line) as Answer);
      else reject(new Error(`${script} ended with ${code ?? signal}: ${output}`));
    });
  });
}
