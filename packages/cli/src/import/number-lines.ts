import { createHash } from 'node:crypto';
import { basename, dirname, resolve } from 'node:path';
import { instantOf } from '@runlog/schema/events/instant';
import { DEFAULT_GROUP } from '@runlog/schema/run/run-key';
import { type FieldToInsert, insertFields } from './insert-fields.ts';
import { judgeLine, type LineFault, readObject } from './judge-line.ts';

/** What the command line and the file's name say about a recorded file. */
export interface Recording {
  /** Is used for lines without a run_id. */
  readonly runId: string;
  /** Is used for lines without a group_id. If it is undefined, those lines stay without one. */
  readonly groupId: string | undefined;
  /** Names the file as an emitter; see `emitterIdOf`. */
  readonly emitterId: string;
}

export type NumberedLine =
  | {
      readonly kind: 'event';
      readonly bytes: Buffer;
      readonly runId: string;
      readonly groupId: string;
      /** The event's own time, for sending at the recorded pace. */
      readonly occurredAtMs: number;
    }
  | { readonly kind: 'rejected'; readonly fault: LineFault };

/**
 * Numbers the valid lines of one recording, per run and from 1, and inserts the fields that a line lacks; no other byte
 * changes. No line may be blank. A number depends only on the lines before it, so the same file, or a longer copy of
 * it, gets the same numbers again. That makes a repeated import harmless. Lines that carry an emitter's numbers keep
 * them.
 */
export function createLineNumberer(recording: Recording): (line: Buffer) => NumberedLine {
  // Its size is bounded by the number of runs in one file, which the services bound as well.
  const numbered = new Map<string, number>();
  return (line) => {
    const raw = readObject(line);
    if (raw === null || Object.keys(raw).length === 0) return { kind: 'rejected', fault: faultOf(line) };
    const runId = typeof raw.run_id === 'string' ? raw.run_id : recording.runId;
    const groupId = typeof raw.group_id === 'string' ? raw.group_id : (recording.groupId ?? DEFAULT_GROUP);
    const key = `${runId}/${groupId}`;
    const seq = (numbered.get(key) ?? 0) + 1;
    const ownNumbers = (raw.emitter_id ?? null) !== null || (raw.emitter_seq ?? null) !== null;
    const fields: FieldToInsert[] = [];
    const give = (name: string, value: string | number) => {
      if ((raw[name] ?? null) !== null) return;
      fields.push({ name, json: JSON.stringify(value), replacesNull: name in raw });
    };
    give('run_id', recording.runId);
    if (recording.groupId !== undefined) give('group_id', recording.groupId);
    if (!ownNumbers) {
      give('emitter_id', recording.emitterId);
      give('emitter_seq', seq);
    }
    const bytes = insertFields(line, fields);
    const fault = judgeLine(bytes);
    if (fault !== null) return { kind: 'rejected', fault };
    if (!ownNumbers) numbered.set(key, seq);
    return { kind: 'event', bytes, runId, groupId, occurredAtMs: instantOf(String(raw.timestamp)) };
  };
}

function faultOf(line: Buffer): LineFault {
  const fault = judgeLine(line);
  if (fault === null) throw new Error('a line that is not a JSON object was judged valid');
  return fault;
}

/** Derives the emitter's name of a recording from its first line, which never changes in a file that only grows. */
export function emitterIdOf(firstLine: Buffer): string {
  return `file-${createHash('sha256').update(firstLine).digest('hex').slice(0, 32)}`;
}

/** Derives a run's name from a file's: `logs/2025-12-05_111053.events.jsonl` is the run `2025-12-05_111053`. */
export function runIdOfFile(path: string): string {
  const name = basename(path)
    .replace(/\.gz$/i, '')
    .replace(/\.(jsonl|ndjson|json|log|txt)$/i, '')
    .replace(/\.?events$/i, '');
  // Trainers that keep a folder per run call every file in it events.jsonl.
  const source = name === '' ? basename(dirname(resolve(path))) : name;
  const legal = source
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64)
    .replace(/[-.]+$/, '');
  return legal === '' ? 'imported' : legal;
}
