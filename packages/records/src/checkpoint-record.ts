import { type Checkpoint, checkpointSchema } from '@runlog/schema/log/log-records';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import { parseJson } from './parse-json.ts';

/** Key of the record that says which events the snapshots of its partition hold. No run key begins with `#`. */
export const CHECKPOINT_KEY = '#checkpoint';

export function encodeCheckpoint(checkpoint: Checkpoint, timestampMs: number): RecordToAppend {
  return { key: CHECKPOINT_KEY, value: Buffer.from(JSON.stringify(checkpoint)), headers: {}, timestampMs };
}

/** `null`: not a checkpoint. */
export function decodeCheckpoint(value: Buffer | null): Checkpoint | null {
  return checkpointSchema.safeParse(parseJson(value)).data ?? null;
}
