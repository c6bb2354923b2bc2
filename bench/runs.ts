import { type Benchmark, type Result, rounded } from './benchmark.ts';
import { runChild } from './child.ts';
import type { RunsAnswer, RunsTask } from './runs-child.ts';

const COUNTS = [10, 1_000, 10_000] as const;
const MODES: readonly RunsTask['mode'][] = ['live', 'live with figures', 'dormant', 'dormant with figures'];
/** The count whose figures are the result; with ten runs, the measurement itself weighs too much. */
const COUNT_SHOWN = 1_000;
const HEAP_FLAGS = ['--expose-gc', '--max-old-space-size=8192'];

/** Measures what holding a run costs. */
export const runs: Benchmark = {
  name: 'runs',
  summary: 'KiB of heap per run with a full log and eight full figures, beside the same without figures',
  async run(): Promise<Result> {
    const details: Record<string, unknown> = {};
    const shown = new Map<RunsTask['mode'], number>();
    let answer: RunsAnswer | null = null;
    for (const count of COUNTS) {
      for (const mode of MODES) {
        answer = await runChild<RunsTask, RunsAnswer>('./runs-child.ts', { runs: count, mode }, HEAP_FLAGS);
        const kib = (bytes: number) => rounded(bytes / count / 1_024);
        details[`${count} ${mode}`] = {
          heap_kib: kib(answer.heapBytes),
          buffer_kib: kib(answer.bufferBytes),
        };
        if (count === COUNT_SHOWN) shown.set(mode, kib(answer.heapBytes));
      }
    }
    const figure = shown.get('live with figures')!;
    const limit = shown.get('live')!;
    return {
      figure,
      unit: 'KiB',
      limit,
      limit_is: 'the same runs without figures',
      ratio: rounded(figure / limit),
      how: `heap after a full collection, a process for each of ${MODES.join(', ')}; at ${COUNT_SHOWN} runs`,
      details: {
        ...{ snapshot_bytes: answer!.snapshotBytes, figures_bytes: answer!.figuresBytes },
        ...{ figures: answer!.figures, ...details },
      },
    };
  },
};
