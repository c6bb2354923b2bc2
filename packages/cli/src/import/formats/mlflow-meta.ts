import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

/** A `meta.yaml` is some lines long. */
const META_BYTES_MAX = 64 * 1024;

const milliseconds = z.number().nullish();
const runMeta = z.object({
  run_id: z.coerce.string().min(1).optional(),
  run_uuid: z.coerce.string().min(1).optional(),
  run_name: z.coerce.string().nullish(),
  experiment_id: z.coerce.string().nullish(),
  user_id: z.coerce.string().nullish(),
  /** Older versions wrote the name of the status. */
  status: z.union([z.number(), z.string()]).nullish(),
  start_time: milliseconds,
  end_time: milliseconds,
  lifecycle_stage: z.string().nullish(),
});
export type RunMeta = z.infer<typeof runMeta>;

/** Reads the `meta.yaml` of a run. null: it is not that of a run, or is being written at this moment. */
export async function readRunMeta(folder: string): Promise<RunMeta | null> {
  const meta = runMeta.safeParse(await readYaml(join(folder, 'meta.yaml')));
  return meta.success && (meta.data.run_id ?? meta.data.run_uuid) !== undefined ? meta.data : null;
}

/** Returns the name of an experiment, or null. */
export async function readExperimentName(folder: string): Promise<string | null> {
  const meta = z.object({ name: z.coerce.string() }).safeParse(await readYaml(join(folder, 'meta.yaml')));
  return meta.success ? meta.data.name : null;
}

async function readYaml(path: string): Promise<unknown> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (bytes === null || bytes.length > META_BYTES_MAX) return null;
  try {
    return parse(bytes.toString('utf8'), { maxAliasCount: 0, logLevel: 'silent' });
  } catch {
    return null;
  }
}

export type RunEnd = 'finished' | 'failed';

/** MLflow's statuses: 1 running, 2 scheduled, 3 finished, 4 failed, 5 killed. */
export function endOfStatus(status: RunMeta['status']): { end: RunEnd; reason: string } | null {
  switch (typeof status === 'string' ? status.toUpperCase() : status) {
    case 3:
    case 'FINISHED':
      return { end: 'finished', reason: 'finished' };
    case 4:
    case 'FAILED':
      return { end: 'failed', reason: 'failed' };
    case 5:
    case 'KILLED':
      return { end: 'failed', reason: 'killed' };
    default:
      return null;
  }
}

/** Old versions wrote seconds. */
export function secondsOfTime(time: number): number {
  return time < 1e11 ? time : time / 1_000;
}
