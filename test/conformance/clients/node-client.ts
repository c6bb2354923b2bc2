/**
 * `packages/client` in Node, as the kit drives it: commands on stdin, reports on stdout, one JSON object a line. An
 * argument names a mutant.
 */
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import { DrivenClient, type Surroundings } from './drive-client.ts';
import { type MutantName, mutants } from './mutants.ts';

const surroundings: Surroundings = {
  webSocket: WebSocket,
  fetch,
  random: Math.random,
  report: (line) => void process.stdout.write(`${JSON.stringify(line)}\n`),
};
const [mutant = ''] = process.argv.slice(2);
const changes = mutant === '' ? {} : mutants[mutant as MutantName].change(surroundings);

const client = new DrivenClient({ ...surroundings, ...changes });
const input = createInterface({ input: process.stdin });
input.on('line', (line) => client.tell(JSON.parse(line)));
input.on('close', () => client.close());
