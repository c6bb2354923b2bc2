import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';

/**
 * Checks LMDB's file before LMDB opens it, because LMDB kills the process if the file is not a database, or if it reads
 * beyond the end of one that was cut. Returns the fault, or null.
 */
export async function faultOfDataFile(path: string, expected: { bytesMin: number }): Promise<string | null> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size < expected.bytesMin) return `was cut from ${expected.bytesMin} to ${size} bytes`;
    const first = await readMeta(file, 0);
    if (first === null) return 'is not an LMDB database';
    const second = await readMeta(file, first.pageBytes);
    if (second === null) return 'is not an LMDB database';
    const newest = second.transaction > first.transaction ? second : first;
    const pages = BigInt(Math.floor(size / first.pageBytes));
    // The last pages may be missing if they are free; the roots of the trees are never free.
    if (newest.roots.some((root) => root !== noPage && root >= pages)) return `was cut to ${size} bytes`;
    return null;
  } finally {
    await file.close();
  }
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

interface Meta {
  readonly pageBytes: number;
  readonly transaction: bigint;
  /** The roots of the free list and of the main tree. */
  readonly roots: readonly bigint[];
}

const metaBytes = 160;
const metaFlag = 0x08;
const magic = 0xbeefc0de;
const dataVersion = 2;
const noPage = 0xffff_ffff_ffff_ffffn;

/** Reads a page header of 24 bytes, then LMDB's `MDB_meta` in the machine's byte order. */
async function readMeta(file: Awaited<ReturnType<typeof open>>, at: number): Promise<Meta | null> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(metaBytes), 0, metaBytes, at);
  if (bytesRead < metaBytes) return null;
  const isMeta = (buffer.readUInt16LE(18) & metaFlag) !== 0;
  if (!isMeta || buffer.readUInt32LE(24) !== magic || (buffer.readUInt32LE(28) & 0xffff) !== dataVersion)
    return null;
  const pageBytes = buffer.readUInt32LE(48);
  if (pageBytes < 512 || pageBytes > 65_536) return null;
  return {
    pageBytes,
    transaction: buffer.readBigUInt64LE(152),
    roots: [buffer.readBigUInt64LE(88), buffer.readBigUInt64LE(136)],
  };
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
