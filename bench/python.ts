import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Benchmark, type Result, rounded } from './benchmark.ts';

const script = fileURLToPath(new URL('../clients/python/bench/loop_cost.py', import.meta.url));
/** The per cent of a training loop's time that emitting may take. */
const GOAL_PERCENT = 0.1;

interface Estimate {
  readonly percent: number;
  readonly interval95: readonly [number, number];
}

/** The output of loop_cost.py. */
interface LoopCost {
  readonly step: string;
  readonly quartets: number;
  readonly load_average: readonly number[];
  readonly states: Readonly<Record<'null' | 'up' | 'hung' | 'dead', { readonly accounted: Estimate }>>;
}

/** Compares a training loop with itself without the emitter. */
export const python: Benchmark = {
  name: 'python',
  summary: 'per cent by which emitting slows down a Python training loop, with the server up, hung and dead',
  async run({ seconds }): Promise<Result> {
    const cost = await loopCost(seconds);
    const { up, hung, dead } = cost.states;
    const figure = Math.max(...[up, hung, dead].map(({ accounted }) => accounted.percent));
    return {
      figure: rounded(figure),
      unit: '% of the loop',
      limit: GOAL_PERCENT,
      limit_is: 'the goal',
      ratio: rounded(figure / GOAL_PERCENT),
      how: `steps of 50 ms that never release the interpreter, one event each, ${cost.quartets} quartets (emitting, not, not, emitting) for each state of the server in one process; the worst state's calls and waits for the interpreter, by the kernel's account of the thread; "null" emits in neither half`,
      details: { ...cost },
    };
  },
};

function loopCost(seconds: number): Promise<LoopCost> {
  return new Promise((resolve, reject) => {
    const child = spawn('python3', [script, '--seconds', String(seconds)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const kill = () => child.kill('SIGINT');
    process.once('exit', kill);
    let output = '';
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString();
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      process.removeListener('exit', kill);
      if (code === 0) resolve(JSON.parse(output) as LoopCost);
      else reject(new Error(`loop_cost.py ended with ${code ?? signal}`));
    });
  });
}
