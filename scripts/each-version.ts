import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Reads the command line of a script that does the same on several versions of a program: those that are named, or all.
 * Ends the process after `--help`, and with 2 if a version is not exact. From then on, the programs that `run` started
 * end with this process.
 */
export function versionsAsked(options: {
  help: string;
  program: string;
  all: readonly string[];
}): readonly string[] {
  const { help, program, all } = options;
  const { values, positionals } = parseArgs({
    options: { help: { type: 'boolean', short: 'h', default: false } },
    allowPositionals: true,
  });
  if (values.help) {
    process.stdout.write(help);
    process.exit(0);
  }
  const inexact = positionals.find((version) => !/^\d+\.\d+\.\d+$/.test(version));
  if (inexact !== undefined) {
    process.stderr.write(`'${inexact}' is not an exact version of ${program}, such as ${all.at(-1)}\n`);
    process.exit(2);
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  return positionals.length > 0 ? positionals : all;
}

/** The exit code, or what ended it instead, and the whole output. */
export interface Ended {
  readonly code: number | string;
  readonly output: string;
}

/** Runs a program in the folder of this repository. */
export function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child: ChildProcess = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const kill = () => child.kill('SIGTERM');
    process.once('exit', kill);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream!.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    const end = (code: number | string) => {
      process.removeListener('exit', kill);
      resolve({ code, output });
    };
    child.once('error', (error) => end(error.message));
    child.once('close', (code, signal) => end(code ?? signal ?? 'nothing'));
  });
}

export interface Outcome {
  readonly passed: boolean;
  readonly text: string;
}

/** Prints the output if the program failed, or else its last line, which summarises it. */
export function outcomeOf({ code, output }: Ended): Outcome {
  const passed = code === 0;
  const lastLine = output.trimEnd().split('\n').at(-1) ?? '';
  process.stdout.write(passed ? `${lastLine}\n` : output);
  return { passed, text: passed ? lastLine : `FAILED (${code}): ${lastLine}` };
}
