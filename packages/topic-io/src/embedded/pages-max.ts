import { readRecordKey, recordKeyBytes } from './records.ts';
import type { Change } from './store.ts';

/** Of the free list, of the named databases, and of the branches above the leaves that change. */
const pagesAlways = 48;
const pageHeaderBytes = 24;
const nodeBytes = 32;

/**
 * Returns how many pages the changes may write at most. A record that follows the one before it fills pages that are
 * new or nearly so. Any other change may take a leaf of its own, as long as there are so many, and may split it.
 */
export function pagesMax(changes: readonly Change[], tree: { pageSize: number; treePages: number }): number {
  let following = 0;
  let overflowPages = 0;
  let others = 0;
  let before: Change | null = null;
  for (const change of changes) {
    const { key, value } = change;
    const bytes = value?.length ?? 0;
    // LMDB puts what is longer than about half a page onto pages of its own.
    const isLong = bytes > tree.pageSize / 2 - 4 * pageHeaderBytes;
    if (isLong) overflowPages += Math.ceil((bytes + pageHeaderBytes) / tree.pageSize);
    if (value !== null && before !== null && isNext(before, change)) {
      following += pagesOfNode(key.length + nodeBytes + (isLong ? 0 : bytes), tree.pageSize);
    } else {
      others += 1;
    }
    if (value !== null) before = change;
  }
  const branches = Math.ceil(following / 16);
  // A long record that is removed adds its pages to the free list.
  const freed = Math.ceil((changes.length * 64) / tree.pageSize);
  const touched = Math.min(others, tree.treePages) + others;
  return pagesAlways + Math.ceil(following) + branches + overflowPages + freed + touched;
}

/**
 * The part of a page that a record may take. A page that is split gives each half at least half of its records, but for one.
 * So of large records, of which it holds two or three, there may be one on each page.
 */
function pagesOfNode(bytes: number, pageSize: number): number {
  return Math.min(1, (bytes * 4) / pageSize);
}

function isNext(before: Change, { database, key }: Change): boolean {
  if (database !== before.database || key.length !== recordKeyBytes || before.key.length !== recordKeyBytes) {
    return false;
  }
  const place = readRecordKey(key);
  const placeBefore = readRecordKey(before.key);
  return (
    place.topicId === placeBefore.topicId &&
    place.partition === placeBefore.partition &&
    place.offset === placeBefore.offset + 1
  );
}
