import { hash } from 'node:crypto';
import { type FieldToInsert, insertFields } from '@runlog/records/insert-fields';
import { instantOf } from '@runlog/schema/events/instant';
import { DEFAULT_GROUP, formatRunKey, parseRunKey, type RunKey } from '@runlog/schema/run/run-key';
import { contentId, hashOf, identityOf, isNumbered, numberOf } from './event-identity.ts';
import { type Hash, HashCounts } from './hash-counts.ts';
import { type HeldEvents, IMPORT_EMITTER_PREFIX } from './held-events.ts';
import { judgeLine, type LineFault, readObject } from './judge-line.ts';

/** What the command line, the file's name and the server say about a recorded file. */
export interface Recording {
  readonly clusterId: string;
  /** Is used for lines without a run_id. */
  readonly runId: string;
  /** Is used for lines without a group_id. If it is undefined, those lines stay without one. */
  readonly groupId: string | undefined;
  /** Names the file as an emitter; see `emitterIdOf`. */
  readonly emitterId: string;
}

/** A line that is an object with a run that can be. */
export interface ReadLine {
  readonly kind: 'read';
  readonly line: Buffer;
  readonly raw: Readonly<Record<string, unknown>>;
  readonly run: RunKey;
}

export type Rejected = { readonly kind: 'rejected'; readonly fault: LineFault };

export type TakenLine =
  /** The run has the event already. */
  | { readonly kind: 'known' }
  | {
      readonly kind: 'event';
      readonly bytes: Buffer;
      /** The event's own time, for sending at the recorded pace. */
      readonly occurredAtMs: number;
    }
  | Rejected;

/** Reads a line that is not blank, and says which run it belongs to. */
export function readLine(line: Buffer, recording: Omit<Recording, 'emitterId'>): ReadLine | Rejected {
  const raw = readObject(line);
  if (raw === null || Object.keys(raw).length === 0) return { kind: 'rejected', fault: faultOf(line) };
  const run = {
    cluster_id: recording.clusterId,
    run_id: typeof raw.run_id === 'string' ? raw.run_id : recording.runId,
    group_id: typeof raw.group_id === 'string' ? raw.group_id : (recording.groupId ?? DEFAULT_GROUP),
  };
  const isNamed = isTextOrAbsent(raw.run_id) && isTextOrAbsent(raw.group_id);
  if (isNamed && parseRunKey(formatRunKey(run)) !== null) return { kind: 'read', line, raw, run };
  const fields = fieldsLacking(raw, recording);
  // An event needs no id to be imported, so it must not be told to lack one.
  if ((raw.event_id ?? null) === null) fields.push(fieldOf(raw, 'event_id', contentId(raw)));
  return { kind: 'rejected', fault: faultOf(insertFields(line, fields)) };
}

/**
 * Takes the lines of one recording, one after the other, and gives those that their runs do not hold. `held` knows the
 * runs. A line that is new gets the fields that it lacks, and the next number of the recording; no other byte changes. The
 * numbers go on from those that the run has of the same file. So whoever imports that file at the same moment, or again
 * before the server shows what it took, gives each event the same number, and it counts once.
 */
export class LineNumberer {
  readonly #recording: Recording;
  readonly #held: HeldEvents;
  /** How often each event, and each number of a foreign emitter, occurs in the file so far. */
  readonly #inFile = new HashCounts();

  constructor(recording: Recording, held: HeldEvents) {
    this.#recording = recording;
    this.#held = held;
  }

  take({ line, raw, run }: ReadLine): TakenLine {
    const key = formatRunKey(run);
    const { identity, counted, eventId } = this.#named(key, raw);
    const times = this.#inFile.get(counted) + 1;
    const ownNumber = isNumbered(raw) ? numberOf(key, raw) : null;
    if (this.#isHeld({ identity, times: eventId === null ? times : 1, ownNumber })) {
      if (ownNumber === null || this.#isFirst(ownNumber, identity)) this.#inFile.set(counted, times);
      return { kind: 'known' };
    }
    const keepsNumber = ownNumber !== null && !this.#held.isTaken(ownNumber);
    const fields = fieldsLacking(raw, this.#recording);
    if (eventId !== null) fields.push(fieldOf(raw, 'event_id', eventId));
    const { emitterId } = this.#recording;
    const seq = this.#held.lastNumber(key, emitterId) + 1;
    // Half a numbering is a fault, which must not be mended.
    const isWhole = raw.emitter_id != null && raw.emitter_seq != null;
    if (ownNumber === null || (!keepsNumber && isWhole)) {
      fields.push(fieldOf(raw, 'emitter_id', emitterId), fieldOf(raw, 'emitter_seq', seq));
    }
    const bytes = fields.length === 0 ? line : insertFields(line, fields);
    const fault = judgeLine(bytes);
    if (fault !== null) return { kind: 'rejected', fault };
    this.#inFile.set(counted, times);
    if (ownNumber !== null) this.#isFirst(ownNumber, identity);
    this.#held.add(identity);
    if (keepsNumber) this.#held.takeNumber(key, raw, identity);
    else this.#held.setLastNumber(key, emitterId, seq);
    return { kind: 'event', bytes, occurredAtMs: instantOf(String(raw.timestamp)) };
  }

  /** Names the event. One without an id gets one of its content; the second of the same content gets another one. */
  #named(key: string, raw: ReadLine['raw']): { identity: Hash; counted: Hash; eventId: string | null } {
    if ((raw.event_id ?? null) !== null) {
      const identity = identityOf(key, raw);
      return { identity, counted: identity, eventId: null };
    }
    const content = contentId(raw);
    const counted = hashOf(`${key}\n${content}`);
    const times = this.#inFile.get(counted) + 1;
    const eventId = times === 1 ? content : `${content}-${times}`;
    return { identity: identityOf(key, { ...raw, event_id: eventId }), counted, eventId };
  }

  #isHeld(at: { identity: Hash; times: number; ownNumber: Hash | null }): boolean {
    if (at.ownNumber !== null && this.#held.hasAt(at.ownNumber, at.identity)) return true;
    return at.times <= this.#held.count(at.identity);
  }

  /** An event that stands twice with the same number of its emitter is one event. */
  #isFirst(number: Hash, identity: Hash): boolean {
    const both = { high: (number.high ^ identity.high) >>> 0, low: (number.low ^ identity.low) >>> 0 };
    if (this.#inFile.get(both) > 0) return false;
    this.#inFile.set(both, 1);
    return true;
  }
}

function fieldsLacking(
  raw: Readonly<Record<string, unknown>>,
  { runId, groupId }: Pick<Recording, 'runId' | 'groupId'>,
): FieldToInsert[] {
  const fields: FieldToInsert[] = [];
  if ((raw.run_id ?? null) === null) fields.push(fieldOf(raw, 'run_id', runId));
  if (groupId !== undefined && (raw.group_id ?? null) === null)
    fields.push(fieldOf(raw, 'group_id', groupId));
  return fields;
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || value === null || typeof value === 'string';
}

function fieldOf(
  raw: Readonly<Record<string, unknown>>,
  name: string,
  value: string | number,
): FieldToInsert {
  return { name, json: JSON.stringify(value), replaces: name in raw };
}

function faultOf(line: Buffer): LineFault {
  const fault = judgeLine(line);
  if (fault === null) throw new Error('a line that cannot be an event was judged valid');
  return fault;
}

/**
 * Names a file as an emitter: by its first event, and by what the file system calls the file, which stays while it grows.
 */
export function emitterIdOf(firstLine: Buffer, inode: string): string {
  return `${IMPORT_EMITTER_PREFIX}${hash('sha256', `${inode}\n${firstLine.toString('latin1')}`).slice(0, 32)}`;
}

/** The name of a file as an emitter in former versions, whose numbers were places in the file. */
export function formerEmitterIdOf(firstLine: Buffer): string {
  return `file-${hash('sha256', firstLine).slice(0, 32)}`;
}
