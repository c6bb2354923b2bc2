import type { Database } from 'lmdb';
import { openRow, sealRow } from './sealed-rows.ts';

/** A database with bytes as keys and values. Scans go in key order. */
export interface Bytes {
  get(key: Buffer): Buffer | undefined;
  getRange(range: Range): Iterable<{ key: Buffer; value: Buffer }>;
  getKeys(range: Range): Iterable<Buffer>;
  put(key: Buffer, value: Buffer): unknown;
  remove(key: Buffer): unknown;
  getStats(): object;
}

interface Range {
  readonly start: Buffer;
  readonly end: Buffer;
  readonly limit?: number;
}

/** Seals each row that is written, and checks each that is read. */
export class SealedDatabase implements Bytes {
  readonly #database: Database<Buffer, Buffer>;
  readonly #mayBeUnsealed: boolean;
  readonly #damaged: () => Error;

  constructor(database: Database<Buffer, Buffer>, options: { mayBeUnsealed: boolean; damaged: () => Error }) {
    this.#database = database;
    this.#mayBeUnsealed = options.mayBeUnsealed;
    this.#damaged = options.damaged;
  }

  get(key: Buffer): Buffer | undefined {
    const row = this.#database.get(key);
    return row === undefined ? undefined : this.#open(key, row);
  }

  *getRange(range: Range): Iterable<{ key: Buffer; value: Buffer }> {
    for (const { key, value } of this.#database.getRange(range)) yield { key, value: this.#open(key, value) };
  }

  getKeys(range: Range): Iterable<Buffer> {
    return this.#database.getKeys(range);
  }

  put(key: Buffer, value: Buffer): unknown {
    return this.#database.put(key, sealRow(key, value));
  }

  remove(key: Buffer): unknown {
    return this.#database.remove(key);
  }

  getStats(): object {
    return this.#database.getStats();
  }

  #open(key: Buffer, row: Buffer): Buffer {
    const value = openRow(key, row, { mayBeUnsealed: this.#mayBeUnsealed });
    if (value === null) throw this.#damaged();
    return value;
  }
}
