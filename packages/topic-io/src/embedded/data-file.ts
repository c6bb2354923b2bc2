import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';
import { faultInPages, type RowCheck } from './check-pages.ts';

/**
 * Checks LMDB's file before LMDB opens it, because LMDB kills the process if the file is not a database, or if it reads
 * beyond the end of one that was cut. With `isSound` all pages and rows are checked, too. Returns the fault, or null.
 */
export async function faultOfDataFile(
  path: string,
  expected: { bytesMin: number; isSound: RowCheck | null },
): Promise<string | null> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size < expected.bytesMin) return `was cut from ${expected.bytesMin} to ${size} bytes`;
    const first = await readMeta(file, 0);
    if (first === null) return 'is not an LMDB database';
    const second = await readMeta(file, first.pageBytes);
    if (second === null) return 'is not an LMDB database';
    const meta = second.transaction > first.transaction ? second : first;
    const pages = BigInt(Math.floor(size / first.pageBytes));
    // The last pages may be missing if they are free; the roots of the trees are never free.
    const roots = [meta.freeTree.root, meta.mainTree.root];
    if (roots.some((root) => root !== noPage && root >= pages)) return `was cut to ${size} bytes`;
    if (expected.isSound === null) return null;
    const fault = (await faultOfMetas(file, [first, second])) ?? null;
    if (fault !== null) return `is damaged (${fault})`;
    if (meta.lastPage >= pages && meta.lastPage > 1n) return `was cut to ${size} bytes`;
    return await faultInPages(path, { meta, isSound: expected.isSound });
  } finally {
    await file.close();
  }
}

/**
 * The two heads are written in turn, so their transactions differ by one, and each is the one that wrote the root of
 * its state. Else the older state would pass for the newest.
 */
async function faultOfMetas(
  file: Awaited<ReturnType<typeof open>>,
  metas: readonly [DataFileMeta, DataFileMeta],
): Promise<string | null> {
  const [first, second] = metas;
  if (first.transaction === 0n && second.transaction === 0n) return null;
  const difference = first.transaction - second.transaction;
  if (difference !== 1n && difference !== -1n) return 'its two heads do not belong together';
  for (const [index, meta] of metas.entries()) {
    const { transaction, pageBytes, mainTree, freeTree } = meta;
    if (transaction === 0n) continue;
    if (transaction % 2n !== BigInt(index) || pageBytes !== first.pageBytes)
      return `head ${index} is not as it was written`;
    if (freeTree.flags !== metaFlags || mainTree.flags !== 0 || meta.mapBytes % BigInt(pageBytes) !== 0n)
      return `head ${index} is not as it was written`;
    if (meta.mapBytes < (meta.lastPage + 1n) * BigInt(pageBytes) || meta.mapBytes > mapBytesMax)
      return `head ${index} is not as it was written`;
    if (freeTree.root === noPage && transaction > 2n) return `head ${index} is not as it was written`;
    const root = Buffer.alloc(16);
    await file.read(root, 0, root.length, Number(mainTree.root) * pageBytes);
    if (root.readBigUInt64LE(0) !== mainTree.root || root.readBigUInt64LE(8) !== transaction)
      return `head ${index} is not as it was written`;
  }
  return null;
}

/**
 * Checks the permissions of LMDB's two files, if they exist. The owner writes both; a reader registers itself in the
 * second.
 */
export async function checkPermissions(path: string, mode: { readOnly: boolean }): Promise<void> {
  const { R_OK, W_OK } = constants;
  await access(path, mode.readOnly ? R_OK : R_OK | W_OK).catch(ignoreMissing);
  await access(`${path}-lock`, R_OK | W_OK).catch(ignoreMissing);
}

/** The head of a state of the database: what LMDB calls a meta page. */
export interface DataFileMeta {
  readonly pageBytes: number;
  readonly mapBytes: bigint;
  readonly transaction: bigint;
  readonly lastPage: bigint;
  readonly freeTree: TreeHeader;
  readonly mainTree: TreeHeader;
}

export interface TreeHeader {
  readonly flags: number;
  readonly depth: number;
  readonly branchPages: bigint;
  readonly leafPages: bigint;
  readonly overflowPages: bigint;
  readonly rows: bigint;
  readonly root: bigint;
}

const metaBytes = 160;
const metaFlag = 0x08;
/** Of the file as this engine opens it: no subfolder, and integer keys in the free list. */
export const metaFlags = 0x4008;
const mapBytesMax = 2n ** 47n;
const magic = 0xbeefc0de;
const dataVersion = 2;
export const noPage = 0xffff_ffff_ffff_ffffn;

/** Reads a page header of 24 bytes, then LMDB's `MDB_meta` in the machine's byte order. */
async function readMeta(file: Awaited<ReturnType<typeof open>>, at: number): Promise<DataFileMeta | null> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(metaBytes), 0, metaBytes, at);
  if (bytesRead < metaBytes) return null;
  const isMeta = (buffer.readUInt16LE(18) & metaFlag) !== 0;
  if (!isMeta || buffer.readUInt32LE(24) !== magic || (buffer.readUInt32LE(28) & 0xffff) !== dataVersion)
    return null;
  const pageBytes = buffer.readUInt32LE(48);
  if (pageBytes < 512 || pageBytes > 65_536) return null;
  return {
    pageBytes,
    mapBytes: buffer.readBigUInt64LE(40),
    transaction: buffer.readBigUInt64LE(152),
    lastPage: buffer.readBigUInt64LE(144),
    freeTree: readTreeHeader(buffer, 48),
    mainTree: readTreeHeader(buffer, 96),
  };
}

/** Reads LMDB's `MDB_db`. */
export function readTreeHeader(buffer: Buffer, at: number): TreeHeader {
  return {
    flags: buffer.readUInt16LE(at + 4),
    depth: buffer.readUInt16LE(at + 6),
    branchPages: buffer.readBigUInt64LE(at + 8),
    leafPages: buffer.readBigUInt64LE(at + 16),
    overflowPages: buffer.readBigUInt64LE(at + 24),
    rows: buffer.readBigUInt64LE(at + 32),
    root: buffer.readBigUInt64LE(at + 40),
  };
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
