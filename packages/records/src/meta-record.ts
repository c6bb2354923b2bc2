import { type RunMeta, runMetaSchema } from '@runlog/schema/log/log-records';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import { parseJson } from './parse-json.ts';

/** Key of the one record of `run-meta`. */
export const META_KEY = 'meta';

export function encodeMeta(meta: RunMeta, timestampMs: number): RecordToAppend {
  return { key: META_KEY, value: Buffer.from(JSON.stringify(meta)), headers: {}, timestampMs };
}

/** `null`: not the value of a `run-meta` record. */
export function decodeMeta(value: Buffer | null): RunMeta | null {
  return runMetaSchema.safeParse(parseJson(value)).data ?? null;
}
