import { createHash, hash } from 'node:crypto';
import { encodeEvent } from '@runlog/records/event-record';
import { insertFields } from '@runlog/records/insert-fields';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import { validateEvent } from '@runlog/schema/events/validate-event';
import { EVENT_BYTES_MAX } from '@runlog/schema/limits';
import { DEFAULT_GROUP, formatRunKey } from '@runlog/schema/run/run-key';
import { type AcceptedEvent, eventIdOf, keyOf, type RejectedEvent } from '../accept-batch.ts';
import type { MadeEvent } from './made-event.ts';
import type { BadItem, SenderItem } from './sender-source.ts';
import type { StoredIds } from './stored-ids.ts';

/**
 * A body with more events numbers those that have no numbers of their own. The fold recognises an event without a number
 * among the newest thousand of its run only: the Collector's file log has ten bodies of a hundred under way, and one that must
 * be sent again comes behind hundreds of others. It knows the numbers of the newest 512 bodies, and forgets those of its other
 * emitters for them, so the smallest bodies have none.
 */
const UNNUMBERED_MAX = 16;
const ID_CHARS = 22;
const DIGEST_CHARS = 24;
/** The two members that number an event take fewer bytes. */
const NUMBER_BYTES_MAX = 128;

/** What is to be done with an item of a body. */
export type PreparedItem =
  /** `memory` is its name among the stored ids, null if its own number is enough to recognise a repeat. */
  | {
      readonly kind: 'append';
      readonly event: AcceptedEvent;
      readonly memory: string | null;
      readonly emitterId: string;
    }
  /** It is stored, or an event before it in the body has its id. */
  | { readonly kind: 'repeat' }
  | { readonly kind: 'reject'; readonly rejected: RejectedEvent; readonly memory: string };

/**
 * Prepares the items of one body, in order. Ids are derived from the content: of an event whose time is finer than a
 * millisecond from its own, so that it is recognised in any body, of another one from that of the whole body too, so that two
 * equal lines of one second are two events. Equal events in one body are told apart by their ordinal.
 *
 * A number is the ordinal of an event among those of its run and body that take one. It follows from the body and how that is
 * read, and from nothing else: not from what is stored or known, or another event would be stored under it some day, and the
 * fold would take it for a repeat.
 */
export class BodyItems {
  readonly #body: Buffer;
  readonly #reading: string;
  readonly #clusterId: string;
  readonly #takesCluster: boolean;
  readonly #receivedAtMs: number;
  readonly #receivedAt: string;
  readonly #stored: StoredIds;
  readonly #isNumbered: boolean;
  readonly #equals = new Map<string, number>();
  readonly #numbers = new Map<string, number>();
  /** The ids of the events so far, each with its run. */
  readonly #names = new Set<string>();
  /** The runs of which the body has an event that is stored, but not under the body's numbers. */
  readonly #cutAnew = new Set<string>();
  #digest: string | null = null;
  #emitter: string | null = null;

  constructor(options: {
    /** After inflation. */
    body: Buffer;
    /** What else says which events are found in the body, such as its format. */
    reading: string;
    total: number;
    clusterId: string;
    /** Whether events may name their cluster themselves. */
    takesCluster: boolean;
    receivedAtMs: number;
    stored: StoredIds;
  }) {
    this.#body = options.body;
    this.#reading = options.reading;
    this.#clusterId = options.clusterId;
    this.#takesCluster = options.takesCluster;
    this.#receivedAtMs = options.receivedAtMs;
    this.#receivedAt = new Date(options.receivedAtMs).toISOString();
    this.#stored = options.stored;
    this.#isNumbered = options.total > UNNUMBERED_MAX;
  }

  prepare(item: SenderItem, index: number): PreparedItem {
    switch (item.kind) {
      case 'own': {
        const { event, bytes, normalized } = item;
        const clusterId = this.#clusterId;
        return this.#place(event, {
          index,
          written: bytes,
          normalized,
          clusterId,
          key: keyIn(clusterId, event),
        });
      }
      case 'made':
        return this.#make(item, index);
      case 'unmakeable':
        return this.#reject(item, index);
      default: {
        const unreachable: never = item;
        throw new Error(`unknown item ${JSON.stringify(unreachable)}`);
      }
    }
  }

  #make({ fields, cluster, isTimeFine }: MadeEvent, index: number): PreparedItem {
    const clusterId = this.#takesCluster && cluster !== null ? cluster : this.#clusterId;
    const key = keyIn(clusterId, fields);
    const text = JSON.stringify(fields);
    const event = fields as Record<string, unknown> & TelemetryEvent;
    // Members that are written before those of the text.
    let added = '';
    if (fields.event_id === undefined) {
      event.event_id = this.#idOf(key, text, isTimeFine);
      added += `"event_id":"${event.event_id}",`;
    }
    if (fields.timestamp === undefined) {
      event.timestamp = this.#receivedAt;
      added += `"timestamp":"${this.#receivedAt}",`;
    }
    const written = added === '' ? text : `{${added}${text.slice(1)}`;
    const bad = faultOf(event, written);
    if (bad !== null) return this.#reject(bad, index);
    return this.#place(event, { index, written, normalized: false, clusterId, key });
  }

  #place(event: TelemetryEvent, arrived: Arrived): PreparedItem {
    if (event.emitter_id != null) return this.#append(event, arrived, null);
    const { key } = arrived;
    const memory = memoryOf(key, event.event_id);
    if (this.#names.has(memory)) return { kind: 'repeat' };
    this.#names.add(memory);
    const number = this.#isNumbered ? this.#numberOf(event, arrived) : null;
    const known = this.#stored.emitterOf(memory);
    if (known !== undefined) {
      if (number !== null && known !== this.#emitterId()) this.#cutAnew.add(key);
      return { kind: 'repeat' };
    }
    // Behind an event that is not stored under its number, the others would make that number a missing one.
    if (number === null || this.#cutAnew.has(key)) return this.#append(event, arrived, memory);
    const { event_type, event_id, run_id, group_id } = event;
    const emitter_id = this.#emitterId();
    const numbered = { event_type, event_id, run_id, group_id, emitter_id, emitter_seq: number };
    return this.#append(numbered, this.#withNumber(event, arrived, number), memory);
  }

  /** Takes the next number of the run for the event. Returns null if the number would make the event too large. */
  #numberOf(event: TelemetryEvent, arrived: Arrived): number | null {
    const { key, written } = arrived;
    const number = (this.#numbers.get(key) ?? 0) + 1;
    const isNearlyTooLarge = Buffer.byteLength(written) > EVENT_BYTES_MAX - NUMBER_BYTES_MAX;
    if (isNearlyTooLarge) {
      const numbered = this.#withNumber(event, arrived, number);
      if (Buffer.byteLength(numbered.written) > EVENT_BYTES_MAX) return null;
    }
    this.#numbers.set(key, number);
    return number;
  }

  #withNumber(event: TelemetryEvent, arrived: Arrived, number: number): Arrived {
    const emitterId = this.#emitterId();
    const { index, normalized, clusterId, key, written } = arrived;
    // A made event has no emitter, or it has both fields and keeps them.
    const numbered =
      typeof written === 'string'
        ? `{"emitter_id":"${emitterId}","emitter_seq":${number},${written.slice(1)}`
        : insertFields(written, [
            { name: 'emitter_id', json: `"${emitterId}"`, replaces: 'emitter_id' in event },
            { name: 'emitter_seq', json: String(number), replaces: 'emitter_seq' in event },
          ]);
    return { index, written: numbered, normalized, clusterId, key };
  }

  #append(
    event: Parameters<typeof encodeEvent>[0],
    { index, written, normalized, clusterId }: Arrived,
    memory: string | null,
  ): PreparedItem {
    const record = encodeEvent(event, {
      clusterId,
      value: bytesOf(written),
      receivedAtMs: this.#receivedAtMs,
      receivedAt: this.#receivedAt,
    });
    const emitterId = event.emitter_id ?? '';
    return { kind: 'append', event: { index, record, normalized }, memory, emitterId };
  }

  #reject({ code, path, message, raw, value }: BadItem, index: number): PreparedItem {
    const error = { index, event_id: eventIdOf(value), code, path, message };
    const memory = `rejected ${index} ${this.#bodyDigest()}`;
    return { kind: 'reject', rejected: { error, key: keyOf(value, this.#clusterId), value: raw }, memory };
  }

  #idOf(key: string, text: string, isTimeFine: boolean): string {
    const said = isTimeFine ? `${key}\n${text}` : `${key}\n${this.#bodyDigest()}\n${text}`;
    const id = hash('sha256', said, 'base64url').slice(0, ID_CHARS);
    const before = this.#equals.get(id) ?? 0;
    this.#equals.set(id, before + 1);
    return before === 0 ? id : `${id}-${before + 1}`;
  }

  #emitterId(): string {
    this.#emitter ??= `sender-${hash('sha256', `${this.#bodyDigest()}\n${this.#reading}`).slice(0, DIGEST_CHARS)}`;
    return this.#emitter;
  }

  #bodyDigest(): string {
    this.#digest ??= createHash('sha256').update(this.#body).digest('hex').slice(0, DIGEST_CHARS);
    return this.#digest;
  }
}

/** An event as it is written, and whose it is. What is made here becomes bytes only once all of it is known. */
interface Arrived {
  readonly index: number;
  readonly written: string | Buffer;
  readonly normalized: boolean;
  readonly clusterId: string;
  /** The key of its run. */
  readonly key: string;
}

function bytesOf(written: string | Buffer): Buffer {
  return typeof written === 'string' ? Buffer.from(written) : written;
}

function keyIn(clusterId: string, { run_id, group_id }: { run_id: string; group_id?: unknown }): string {
  return formatRunKey({
    cluster_id: clusterId,
    run_id,
    group_id: (group_id as string | null | undefined) ?? DEFAULT_GROUP,
  });
}

/** Ids are names within a run. */
function memoryOf(key: string, eventId: string): string {
  return `${key} ${eventId}`;
}

function faultOf(event: TelemetryEvent, written: string): BadItem | null {
  const bytes = Buffer.byteLength(written);
  if (bytes > EVENT_BYTES_MAX) {
    const message = `an event may have at most ${EVENT_BYTES_MAX} bytes, this one has ${bytes}`;
    const raw = bytesOf(written);
    return { kind: 'unmakeable', code: 'event_too_large', path: '', message, raw, value: event };
  }
  const verdict = validateEvent(event);
  if (!('fault' in verdict)) return null;
  return { kind: 'unmakeable', ...verdict.fault, raw: bytesOf(written), value: event };
}
