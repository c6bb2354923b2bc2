import type { StoredEvent } from '@runlog/schema/http/gateway-api';
import { identityOf, isNumbered, numberOf } from './event-identity.ts';
import { type Hash, HashCounts } from './hash-counts.ts';

/** The emitters under which imports number. */
export const IMPORT_EMITTER_PREFIX = 'import-';

/**
 * What the runs of an import hold: how often each event, and which numbers of emitters. It is filled from what the server
 * has, and goes on with what is sent.
 */
export class HeldEvents {
  readonly #events = new HashCounts();
  /** To each number the event that has it, as half of its hash. */
  readonly #numbers = new HashCounts();
  /** The highest number of each emitter of imports, by run and emitter. There is one a file and run. */
  readonly #imported = new Map<string, number>();

  /** Takes an event of a run as the server has it. One that came twice counts once, as it does there. */
  takeStored(key: string, { event, duplicate }: Pick<StoredEvent, 'event' | 'duplicate'>): void {
    if (duplicate === true) return;
    const identity = identityOf(key, event);
    if (isNumbered(event)) {
      if (this.hasAt(numberOf(key, event), identity)) return;
      this.add(identity);
      this.takeNumber(key, event, identity);
    } else if (duplicate === false || this.count(identity) === 0) {
      this.add(identity);
    }
  }

  count(identity: Hash): number {
    return this.#events.get(identity);
  }

  add(identity: Hash): void {
    this.#events.set(identity, this.count(identity) + 1);
  }

  /** Says whether a number is taken, by whichever event. */
  isTaken(number: Hash): boolean {
    return this.#numbers.get(number) !== 0;
  }

  /** Says whether a number is taken by this event. */
  hasAt(number: Hash, identity: Hash): boolean {
    return this.#numbers.get(number) === tagOf(identity);
  }

  takeNumber(key: string, event: Readonly<Record<string, unknown>>, identity: Hash): void {
    this.#numbers.set(numberOf(key, event), tagOf(identity));
    const { emitter_id, emitter_seq } = event;
    if (typeof emitter_id !== 'string' || !emitter_id.startsWith(IMPORT_EMITTER_PREFIX)) return;
    if (Number(emitter_seq) > this.lastNumber(key, emitter_id)) {
      this.setLastNumber(key, emitter_id, Number(emitter_seq));
    }
  }

  setLastNumber(key: string, emitterId: string, seq: number): void {
    this.#imported.set(`${key}\n${emitterId}`, seq);
  }

  /** The highest number that an emitter of imports has used in a run. */
  lastNumber(key: string, emitterId: string): number {
    return this.#imported.get(`${key}\n${emitterId}`) ?? 0;
  }
}

/** 0 means that there is none. */
function tagOf({ high }: Hash): number {
  return high === 0 ? 1 : high;
}
