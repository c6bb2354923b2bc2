/**
 * Runs the unit tests and the first steps on each version of Node that runlog supports. See `npm run nodes -- --help`.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { textTable } from '../packages/cli/src/text-table.ts';
import { type Outcome, outcomeOf, run, versionsAsked } from './each-version.ts';

/** The oldest version that package.json allows, and one of each later line. */
const VERSIONS = ['20.19.0', '22.23.3', '24.21.0', '26.10.0'];

const HELP = `Usage: npm run nodes [-- VERSION...]

Runs the unit tests, and "runlog up" with an event and some commands, on each of these versions of Node:
${VERSIONS.join(', ')}, or on those that are named. Each is downloaded once from the npm package "node" into ~/.cache/runlog
(200 MB each); a minute or two a version.
Exit code: 0 all passed, 1 some did not, 2 a version cannot be had.
`;

const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'runlog');

interface Verdict {
  readonly version: string;
  readonly unitTests: Outcome;
  readonly firstSteps: Outcome;
}

const verdicts: Verdict[] = [];
for (const version of versionsAsked({ help: HELP, program: 'Node', all: VERSIONS })) {
  const bin = await installed(version);
  process.stdout.write(`\nNode ${version}\n`);
  verdicts.push({
    version,
    unitTests: await outcome(bin, ['node_modules/vitest/vitest.mjs', 'run', '--project', 'unit']),
    firstSteps: await outcome(bin, ['--import', 'tsx', 'scripts/first-steps.ts']),
  });
}
const table = textTable(verdicts, [
  { title: 'NODE', text: ({ version }) => version },
  { title: 'UNIT TESTS', text: ({ unitTests }) => unitTests.text },
  { title: 'FIRST STEPS', text: ({ firstSteps }) => firstSteps.text },
]);
process.stdout.write(`\n${table}\n`);
if (verdicts.some(({ unitTests, firstSteps }) => !unitTests.passed || !firstSteps.passed)) {
  process.exitCode = 1;
}

/**
 * Runs a program of this repository on the Node in folder `bin` and returns the outcome, which its last line
 * summarises.
 */
async function outcome(bin: string, args: readonly string[]): Promise<Outcome> {
  const ended = await run(join(bin, 'node'), args, {
    // With this, programs that a test starts by name find the same Node.
    PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`,
    NO_COLOR: '1',
  });
  return outcomeOf(ended);
}

/**
 * Returns the folder with `node` of this version, which is fetched if it is missing. Ends the process if that fails.
 */
async function installed(version: string): Promise<string> {
  const folder = join(cache, `node-${version}`);
  const bin = join('node_modules', 'node', 'bin');
  if (existsSync(folder)) return join(folder, bin);
  await mkdir(cache, { recursive: true });
  const partial = await mkdtemp(`${folder}-partial-`);
  await writeFile(join(partial, 'package.json'), '{}');
  // In its install script the package fetches the binary for this kind of machine.
  const args = ['install', '--prefix', partial, '--no-audit', '--no-fund', '--ignore-scripts=false'];
  const { code, output } = await run('npm', [...args, `node@${version}`]);
  const said = await run(join(partial, bin, 'node'), ['--version']);
  if (code !== 0 || said.output.trim() !== `v${version}`) {
    await rm(partial, { recursive: true, force: true });
    process.stderr.write(
      `npm did not bring node@${version}: it ended with ${code}\n${output}${said.output}\n`,
    );
    process.exit(2);
  }
  await rename(partial, folder);
  return join(folder, bin);
}
