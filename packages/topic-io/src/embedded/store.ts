import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { ABORT, open, type RootDatabase } from 'lmdb';
import { messageOf } from '../error-message.ts';
import type { TopicIoError } from '../topic-io.ts';
import { FileRoom } from './file-room.ts';
import { dataFile, remedy, unusable } from './folder.ts';
import { pagesMax } from './pages-max.ts';
import { isSoundRecord } from './records.ts';
import { type Bytes, SealedDatabase } from './sealed-database.ts';

export interface Change {
  readonly database: Bytes;
  readonly key: Buffer;
  /** Null removes the key. */
  readonly value: Buffer | null;
}

export type WriteOutcome =
  | { readonly kind: 'written' }
  | { readonly kind: 'full'; readonly message: string }
  /** Nothing was written, and the next attempt may succeed. */
  | { readonly kind: 'failed'; readonly cause: unknown }
  /** LMDB gave up on the file until it is opened again. */
  | { readonly kind: 'broken'; readonly cause: unknown };

/**
 * LMDB as this engine uses it: five databases in one file, atomic and durable writes, and reads of the newest state.
 */
export interface EmbeddedStore extends AsyncDisposable {
  /** Records by topic id, partition and offset. */
  readonly records: Bytes;
  /**
   * The same, for scans that need few of what they read: lmdb copies none. A value is lmdb's own buffer, of which `length`
   * bytes are the value until the next one is read from the store.
   */
  readonly passingRecords: Pick<Bytes, 'getRange'>;
  /** Start and next offset by topic id and partition. */
  readonly bounds: Bytes;
  /** Topics, writer epochs and group offsets. */
  readonly meta: Bytes;
  /** For compacted topics: the offset of the newest record of a key. */
  readonly newest: Bytes;
  /** For compacted topics: tombstones by the time at which they may go. */
  readonly tombstones: Bytes;
  /** Throws if the record is not as it was written. */
  checkRecord(key: Buffer, value: Buffer): void;
  /** From this call on, reads see everything that is written. */
  refresh(): void;
  /**
   * Writes all changes or none, and resolves when they are on disk. Only one call at a time is allowed. With `freeing`
   * it may use the last reserve.
   */
  write(changes: readonly Change[], options: { freeing: boolean }): Promise<WriteOutcome>;
  /** Is called once before the first write. */
  growBy(growBytes: number): Promise<void>;
}

interface StoreStats {
  readonly pageSize: number;
  readonly lastPageNumber: number;
  readonly usedPages: number;
  /** Those of them that a change elsewhere in their tree may make LMDB write anew. */
  readonly treePages: number;
}

/**
 * The space that appends leave free on the disk, so that old records can always be removed, which at first needs room.
 */
const reserveBytes = 16 * 1024 * 1024;
/** Pages that any transaction rewrites: a branch of every tree and the free list. */
const transactionBytes = 128 * 1024;
const changeOverheadBytes = 48;
/** lmdb does not copy values for a decoder of ours, which may hand on what it gets. Its types do not know the option. */
const passingOptions = {
  name: 'records',
  encoding: 'binary',
  keyEncoding: 'binary',
  encoder: { encode: (value: Buffer) => value, decode: (value: Buffer) => value },
} as const;
const databaseNames = ['records', 'bounds', 'meta', 'newest', 'tombstones'] as const;

export function openStore(options: {
  folder: string;
  readOnly: boolean;
  mapBytesMax: number;
  /** Whether it holds rows of the first format, which nothing protects. */
  mayBeUnsealed: boolean;
}): EmbeddedStore {
  const { folder, mapBytesMax, mayBeUnsealed } = options;
  const damaged = (): TopicIoError => unusable(folder, `${dataFile} is damaged; ${remedy}`);
  const root = openRoot(options);
  const databases = databaseNames.map((name): Bytes => {
    const database = root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' });
    if ((database as typeof database | undefined) === undefined) {
      throw unusable(
        folder,
        `${dataFile} lacks the database "${name}": it is damaged or does not belong to runlog`,
      );
    }
    return name === 'records' ? database : new SealedDatabase(database, { mayBeUnsealed, damaged });
  });
  const [records, bounds, meta, newest, tombstones] = databases as [Bytes, Bytes, Bytes, Bytes, Bytes];
  const passingRecords = root.openDB<Buffer, Buffer>(passingOptions);
  const statsOf = (): StoreStats => sumStats(root, databases);
  const { pageSize } = statsOf();

  let file: FileRoom | null = null;
  const room = new Room({ folder, mapBytesMax, statsOf, fileBytes: () => file?.bytes ?? 0 });
  let broken: WriteOutcome | null = null;

  /** The pages at the end of the file that are surely left, whatever the writes since they were counted took. */
  let pagesLeft = 0;

  /** Makes room in the file for the pages that the changes may need. */
  const reach = async (changes: readonly Change[]): Promise<void> => {
    const fileRoom = file!;
    const needed = pagesMax(changes, { pageSize, treePages: Number.POSITIVE_INFINITY });
    if (needed > pagesLeft) {
      const { lastPageNumber, treePages } = statsOf();
      const neededAtMost = pagesMax(changes, { pageSize, treePages });
      await fileRoom.reach((lastPageNumber + 1 + neededAtMost) * pageSize);
      pagesLeft = Math.floor(fileRoom.bytes / pageSize) - lastPageNumber - 1;
    }
    pagesLeft = Math.max(0, pagesLeft - needed);
  };

  return {
    records,
    passingRecords,
    bounds,
    meta,
    newest,
    tombstones,
    checkRecord(key, value) {
      if (!isSoundRecord(key, value, { mayBeUnsealed, length: value.length })) throw damaged();
    },
    refresh: () => root.resetReadTxn(),
    async growBy(growBytes) {
      file = await FileRoom.of(join(folder, dataFile), { growBytes });
    },
    async write(changes, { freeing }) {
      const bytes = changes.reduce(
        (sum, { key, value }) => sum + key.length + (value?.length ?? 0) + changeOverheadBytes,
        transactionBytes,
      );
      if (broken !== null) return broken;
      const full = freeing ? null : room.take(bytes);
      if (full !== null) return { kind: 'full', message: full };
      try {
        await reach(changes);
      } catch (error) {
        room.forget();
        // What makes room is tried all the same: there may be free pages within the file.
        if (!freeing) return room.explain(error);
      }
      const written = root.batch(() => {
        for (const { database, key, value } of changes) {
          // Inside a batch only the outcome of the batch counts.
          if (value === null) void database.remove(key);
          else void database.put(key, value);
        }
      });
      try {
        await written;
        return { kind: 'written' };
      } catch (error) {
        room.forget();
        const outcome = room.explain(await causeOf(error));
        broken = probe(root);
        return broken ?? outcome;
      }
    },
    async [Symbol.asyncDispose]() {
      await root.close();
    },
  };
}

/**
 * Opens the file without a map size, so that the map grows by itself. LMDB kills the process if it cannot map the
 * requested size at the start (a limit of address space), and on Windows the file would at once be as large as the map.
 */
function openRoot(options: { folder: string; readOnly: boolean }): RootDatabase<Buffer, Buffer> {
  const { folder, readOnly } = options;
  try {
    return open<Buffer, Buffer>({
      path: join(folder, dataFile),
      noSubdir: true,
      readOnly,
      encoding: 'binary',
      keyEncoding: 'binary',
      maxDbs: databaseNames.length + 1,
      // A commit becomes visible only when it is on disk, so nobody ever reads what a power cut could undo.
      overlappingSync: false,
      // It makes an extra promise for each batch, whose rejection nobody can catch when the disk is full.
      eventTurnBatching: false,
      compression: false,
      cache: false,
    });
  } catch (error) {
    const message = messageOf(error);
    throw unusable(
      folder,
      `${dataFile} cannot be opened (${message}); restore the folder from a copy`,
      error,
    );
  }
}

/** Reports early that no room is left, so that LMDB is not asked to write what it cannot. */
class Room {
  readonly #folder: string;
  readonly #mapBytesMax: number;
  readonly #statsOf: () => StoreStats;
  readonly #fileBytes: () => number;
  /** The number of bytes that may be written before the room is measured again. */
  #credit = 0;

  constructor(options: {
    folder: string;
    mapBytesMax: number;
    statsOf: () => StoreStats;
    fileBytes: () => number;
  }) {
    this.#folder = options.folder;
    this.#mapBytesMax = options.mapBytesMax;
    this.#statsOf = options.statsOf;
    this.#fileBytes = options.fileBytes;
  }

  /** Returns null, or a sentence that says why there is no room. */
  take(bytes: number): string | null {
    // Half as many bytes are added, because pages are not filled completely.
    const needed = Math.ceil(bytes * 1.5);
    if (this.#credit < needed) {
      const { pageSize, usedPages } = this.#statsOf();
      const usedBytes = usedPages * pageSize;
      const mapRoom = this.#mapBytesMax - usedBytes;
      const diskRoom = this.#diskFreeBytes() - reserveBytes + Math.max(0, this.#fileBytes() - usedBytes);
      if (mapRoom < needed) {
        return `${this.#folder}: the log holds ${usedBytes} bytes and may hold ${this.#mapBytesMax}`;
      }
      if (diskRoom < needed) return `${this.#folder}: the disk is full`;
      this.#credit = Math.min(mapRoom, diskRoom, creditBytesMax);
    }
    this.#credit -= needed;
    return null;
  }

  forget(): void {
    this.#credit = 0;
  }

  explain(cause: unknown): WriteOutcome {
    const { code } = cause as { code?: unknown };
    // If the disk accepts only a part of a write, LMDB reports an input/output error.
    const isFull = isFullCode(code) || (code === 5 && this.#diskFreeBytes() < reserveBytes);
    return isFull
      ? { kind: 'full', message: `${this.#folder}: the disk is full` }
      : { kind: 'failed', cause };
  }

  #diskFreeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#folder);
    return bavail * bsize;
  }
}

/** The most bytes that are written before the room is measured again. */
const creditBytesMax = 8 * 1024 * 1024;

/** ENOSPC, EDQUOT (Linux, macOS), EFBIG, MDB_MAP_FULL, and the names that Node gives them. */
const fullCodes: ReadonlySet<unknown> = new Set([28, 122, 69, 27, -30792, 'ENOSPC', 'EDQUOT', 'EFBIG']);

function isFullCode(code: unknown): boolean {
  return fullCodes.has(code);
}

/**
 * Checks after a failure whether LMDB can still begin a transaction. If it cannot, one begun in the background would
 * wait for ever.
 */
function probe(root: RootDatabase<Buffer, Buffer>): WriteOutcome | null {
  try {
    root.transactionSync(() => ABORT);
    return null;
  } catch (cause) {
    return { kind: 'broken', cause };
  }
}

/** Unwraps an error. lmdb rejects with a wrapper whose `commitError` is a promise that rejects with the cause. */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> };
  if (commitError === undefined) return error;
  try {
    return await commitError;
  } catch (cause) {
    return cause;
  }
}

function sumStats(root: RootDatabase<Buffer, Buffer>, databases: readonly Bytes[]): StoreStats {
  interface Tree {
    readonly treeBranchPageCount: number;
    readonly treeLeafPageCount: number;
    readonly overflowPages: number;
  }
  const top = root.getStats() as Tree & { pageSize: number; lastPageNumber: number; free: Tree };
  const trees = [top, top.free, ...databases.map((one) => one.getStats() as Tree)];
  const treePages = trees.reduce((sum, one) => sum + one.treeBranchPageCount + one.treeLeafPageCount, 0);
  const usedPages = trees.reduce((sum, one) => sum + one.overflowPages, treePages);
  return { pageSize: top.pageSize, lastPageNumber: top.lastPageNumber, usedPages, treePages };
}
