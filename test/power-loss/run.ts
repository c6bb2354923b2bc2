import type { Outcome, Verdict } from './judge.ts';
import { judgePoints } from './judge-points.ts';
import { pointOf } from './point.ts';
import { type Recording, record } from './recording.ts';

export interface PowerLossReport {
  readonly points: number;
  /** By kind of damage, then by outcome. */
  readonly counts: Record<string, Partial<Record<Outcome, number>>>;
  readonly outcomes: Partial<Record<Outcome, number>>;
  readonly refusals: Record<string, number>;
  readonly faults: readonly string[];
}

/** Every third recording meets a full disk. */
export async function recordAll(options: { seed: number; count: number }): Promise<Recording[]> {
  const recordings: Recording[] = [];
  for (let index = 0; index < options.count; index += 1) {
    const seed = options.seed + index;
    const full =
      index % 3 === 2
        ? { operation: 3 + (seed % 7), bytes: (seed * 3_000) % 20_000, refusals: 1 + (seed % 4) }
        : null;
    recordings.push(await record({ seed, full }));
  }
  return recordings;
}

export async function runPowerLoss(options: {
  recordings: readonly Recording[];
  seeds: readonly number[];
  processes: number;
  onProgress?: (done: number) => void;
}): Promise<PowerLossReport> {
  const { recordings, seeds } = options;
  const counts: PowerLossReport['counts'] = {};
  const outcomes: PowerLossReport['outcomes'] = {};
  const refusals: Record<string, number> = {};
  const faults: string[] = [];
  let done = 0;
  const onVerdict = ({ seed, outcome, detail }: Verdict): void => {
    const recording = recordings[seed % recordings.length]!;
    const { loss, sizeLoss, rot } = pointOf(recording, seed);
    const kind = kindOf({ loss, sizeLoss, rot, isFull: recording.full !== null });
    const row = counts[kind] ?? {};
    counts[kind] = { ...row, [outcome]: (row[outcome] ?? 0) + 1 };
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (outcome === 'refused') {
      const reason = detail.replace(/\d+/g, 'N').slice(0, 140);
      refusals[reason] = (refusals[reason] ?? 0) + 1;
    } else if (outcome !== 'whole') {
      faults.push(`${outcome}: recording ${recording.seed}, seed ${seed} (${kind}): ${detail}`);
    }
    done += 1;
    options.onProgress?.(done);
  };
  await judgePoints({ recordings, seeds, processes: options.processes, onVerdict });
  return { points: done, counts, outcomes, refusals, faults };
}

function kindOf(point: { loss: string; sizeLoss: string; rot: string; isFull: boolean }): string {
  const { loss, sizeLoss, rot, isFull } = point;
  const parts = [`lost ${loss}`, `size ${sizeLoss}`];
  if (isFull) parts.push('disk was full');
  if (rot !== 'none') parts.push(`then ${rot}`);
  return parts.join(', ');
}
