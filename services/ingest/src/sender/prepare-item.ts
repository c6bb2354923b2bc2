import { createHash, hash } from 'node:crypto';
import { encodeEvent } from '@runlog/records/event-record';
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
 * be sent again comes behind hundreds of others. It knows the numbers of the newest 512 bodies.
 */
const UNNUMBERED_MAX = 16;
const ID_CHARS = 22;

/** What is to be done with an item of a body. */
export type PreparedItem =
  /** `memory` is its name among the stored ids, null if its own number is enough to recognise a repeat. */
  | {
      readonly kind: 'append';
      readonly event: AcceptedEvent;
      readonly memory: string | null;
      readonly emitterId: string;
    }
  | { readonly kind: 'repeat' }
  | { readonly kind: 'reject'; readonly rejected: RejectedEvent; readonly memory: string };

/**
 * Prepares the items of one body, in order. Ids are derived from the content: of an event whose time is given to the
 * millisecond from its own, so that it is recognised in any body, of another one from that of the whole body too, so that two
 * equal lines of one second are two events. Equal events in one body are told apart by their ordinal.
 */
export class BodyItems {
  readonly #body: Buffer;
  readonly #clusterId: string;
  readonly #takesCluster: boolean;
  readonly #receivedAtMs: number;
  readonly #receivedAt: string;
  readonly #stored: StoredIds;
  readonly #isNumbered: boolean;
  readonly #equals = new Map<string, number>();
  readonly #numbers = new Map<string, number>();
  #digest: string | null = null;

  constructor(options: {
    /** After inflation. */
    body: Buffer;
    total: number;
    clusterId: string;
    /** Whether events may name their cluster themselves. */
    takesCluster: boolean;
    receivedAtMs: number;
    stored: StoredIds;
  }) {
    this.#body = options.body;
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
        return this.#append(event, { index, value: bytes, normalized, clusterId: this.#clusterId });
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
    const { run_id, group_id } = fields;
    const key = formatRunKey({
      cluster_id: clusterId,
      run_id,
      group_id: (group_id as string) ?? DEFAULT_GROUP,
    });
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
    let number: number | null = null;
    if (this.#isNumbered && event.emitter_id == null) {
      const emitterId = this.#emitterId();
      const known = this.#stored.emitterOf(memoryOf(key, event.event_id));
      // What is stored under another emitter takes no number of this one, or the number would be missed.
      if (known !== undefined && known !== emitterId) return { kind: 'repeat' };
      number = (this.#numbers.get(key) ?? 0) + 1;
      if (known !== undefined) {
        this.#numbers.set(key, number);
        return { kind: 'repeat' };
      }
      event.emitter_id = emitterId;
      event.emitter_seq = number;
      added += `"emitter_id":"${emitterId}","emitter_seq":${number},`;
    }
    const value = Buffer.from(added === '' ? text : `{${added}${text.slice(1)}`);
    const bad = faultOf(event, value);
    if (bad !== null) return this.#reject(bad, index);
    if (number !== null) this.#numbers.set(key, number);
    return this.#append(event, { index, value, normalized: false, clusterId });
  }

  #append(
    event: TelemetryEvent,
    of: { index: number; value: Buffer; normalized: boolean; clusterId: string },
  ): PreparedItem {
    const { index, value, normalized, clusterId } = of;
    const record = encodeEvent(event, {
      ...{ clusterId, value, receivedAtMs: this.#receivedAtMs, receivedAt: this.#receivedAt },
    });
    const emitterId = event.emitter_id ?? '';
    const hasOwnNumber = emitterId !== '' && emitterId !== this.#digestName;
    const memory = hasOwnNumber ? null : memoryOf(record.key, event.event_id);
    if (memory !== null && emitterId === '' && this.#stored.emitterOf(memory) !== undefined) {
      return { kind: 'repeat' };
    }
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
    return `sender-${this.#bodyDigest()}`;
  }

  get #digestName(): string | null {
    return this.#digest === null ? null : `sender-${this.#digest}`;
  }

  #bodyDigest(): string {
    this.#digest ??= createHash('sha256').update(this.#body).digest('hex').slice(0, 24);
    return this.#digest;
  }
}

/** Ids are names within a run. */
function memoryOf(key: string, eventId: string): string {
  return `${key} ${eventId}`;
}

function faultOf(event: TelemetryEvent, value: Buffer): BadItem | null {
  if (value.length > EVENT_BYTES_MAX) {
    const message = `an event may have at most ${EVENT_BYTES_MAX} bytes, this one has ${value.length}`;
    return { kind: 'unmakeable', code: 'event_too_large', path: '', message, raw: value, value: event };
  }
  const verdict = validateEvent(event);
  if (!('fault' in verdict)) return null;
  return { kind: 'unmakeable', ...verdict.fault, raw: value, value: event };
}
