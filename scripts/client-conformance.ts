/** Runs the scenarios of test/conformance against a client of the stream. See test/conformance/README.md. */
import { parseArgs } from 'node:util';
import { processClient } from '../test/conformance/process-client.ts';
import { runScenario, type Verdict } from '../test/conformance/run-scenario.ts';
import { readScenarios } from '../test/conformance/scenario.ts';

const HELP = `Usage: npm run conformance:client -- --client COMMAND [--scenario NAME]... [--timeout-ms N]
       npm run conformance:client -- --list

Starts the client once for each scenario and drives it over stdin and stdout, as test/conformance/README.md describes.
Exit code: 0 the client passed all scenarios that it is able to do, 1 it did not, 2 there is nothing to run.

  --client COMMAND   a command of the shell
  --scenario NAME    only this scenario; may be repeated
  --timeout-ms N     how long the client may take for what one step waits for (20000)
`;

const { values } = parseArgs({
  options: {
    client: { type: 'string' },
    scenario: { type: 'string', multiple: true },
    'timeout-ms': { type: 'string', default: '20000' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const all = readScenarios();
const unknown = values.scenario?.filter((wanted) => !all.some(({ name }) => name === wanted)) ?? [];

if (values.help) process.stdout.write(HELP);
else if (values.list) for (const { name, title } of all) process.stdout.write(`${name}: ${title}\n`);
else if (values.client === undefined) {
  process.stderr.write(HELP);
  process.exitCode = 2;
} else if (unknown.length > 0) {
  process.stderr.write(`there is no scenario ${unknown.join(', ')}: --list names them all\n`);
  process.exitCode = 2;
} else process.exitCode = await conform(values.client);

async function conform(command: string): Promise<number> {
  const client = processClient(command);
  const scenarios = all.filter(({ name }) => values.scenario?.includes(name) ?? true);
  const count = { passed: 0, failed: 0, not_supported: 0 };
  for (const scenario of scenarios) {
    const verdict = await runScenario(scenario, { client, stepMsMax: Number(values['timeout-ms']) });
    count[verdict.kind] += 1;
    process.stdout.write(lineOf(scenario, verdict));
  }
  process.stdout.write(
    `${count.passed} passed, ${count.failed} failed, ${count.not_supported} not supported\n`,
  );
  return count.failed === 0 ? 0 : 1;
}

function lineOf({ name, title }: { name: string; title: string }, verdict: Verdict): string {
  switch (verdict.kind) {
    case 'passed':
      return `passed         ${name}\n`;
    case 'not_supported':
      return `not supported  ${name}: needs ${verdict.ability}\n`;
    case 'failed':
      return `FAILED         ${name}: ${title}\n${verdict.faults.map((fault) => `    ${fault}\n`).join('')}`;
    default: {
      const unreachable: never = verdict;
      throw new Error(`unknown verdict ${JSON.stringify(unreachable)}`);
    }
  }
}
