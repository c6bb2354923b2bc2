import { closeSync, openSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type DataFileMeta, metaFlags, noPage, readTreeHeader, type TreeHeader } from './data-file.ts';

/** A page header, then pointers to nodes from its end, and the nodes at the end of the page. */
const headerBytes = 24;
const nodeHeaderBytes = 8;
const overflowReferenceBytes = 24;
const treeHeaderBytes = 48;
const branchFlag = 0x01;
const leafFlag = 0x02;
const overflowFlag = 0x04;
const isLongFlag = 0x01;
const isTreeFlag = 0x02;
const depthMax = 20;
const pagesPerTurn = 500;

/** Says whether a row is as it was written. A value that is on pages of its own is given as one. */
export type RowCheck = (row: { database: string; key: Buffer; value: Buffer }) => boolean;

/** The fault that was found, in words that follow the name of the file. */
class Damage extends Error {}

/**
 * Walks through all trees of LMDB's newest state, because LMDB trusts every byte of its pages: a damaged one kills the
 * process, or gives wrong answers, or is written over. Checks that each page is what its parent says, that keys are in
 * order and within the parent's bounds, that the numbers of pages and rows are those that were counted, that no page is
 * used twice or free at the same time, and each row by `isSound`. Returns the fault, or null.
 */
export async function faultInPages(
  path: string,
  options: { meta: DataFileMeta; isSound: RowCheck },
): Promise<string | null> {
  const descriptor = openSync(path, 'r');
  try {
    await new Walk(descriptor, options).run();
    return null;
  } catch (error) {
    if (error instanceof Damage || error instanceof RangeError) return `is damaged (${error.message})`;
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

interface TreeWalk {
  readonly name: string;
  readonly header: TreeHeader;
  /** What the header must say. */
  readonly flags: number;
  readonly compare: (one: Buffer, other: Buffer) => number;
  readonly onRow: (key: Buffer, value: Buffer, flags: number) => Promise<void> | void;
  branchPages: number;
  leafPages: number;
  overflowPages: number;
  rows: number;
}

interface Bounds {
  /** The least key that may come. Null: any. */
  readonly from: Buffer | null;
  /** The first key that may not come. Null: none. */
  readonly to: Buffer | null;
  readonly depth: number;
  readonly transactionMax: bigint;
}

interface Node {
  readonly flags: number;
  readonly key: Buffer;
  /** Of a leaf: the size of the value. */
  readonly size: number;
  /** Of a branch. */
  readonly child: number;
  readonly data: Buffer;
}

class Walk {
  readonly #descriptor: number;
  readonly #meta: DataFileMeta;
  readonly #isSound: RowCheck;
  readonly #seen: Uint8Array;
  #pagesRead = 0;

  constructor(descriptor: number, { meta, isSound }: { meta: DataFileMeta; isSound: RowCheck }) {
    this.#descriptor = descriptor;
    this.#meta = meta;
    this.#isSound = isSound;
    this.#seen = new Uint8Array(Number(meta.lastPage) + 1);
  }

  async run(): Promise<void> {
    const { mainTree, freeTree } = this.#meta;
    const compare = (one: Buffer, other: Buffer): number => one.compare(other);
    const named: { name: string; header: TreeHeader }[] = [];
    await this.#walkTree({
      name: 'main',
      header: mainTree,
      flags: 0,
      compare,
      onRow: (key, value, flags) => {
        if (flags !== isTreeFlag || value.length !== treeHeaderBytes)
          throw new Damage('a tree has no header');
        named.push({ name: key.toString('latin1').replace(/\0$/, ''), header: readTreeHeader(value, 0) });
      },
    });
    for (const { name, header } of named) {
      await this.#walkTree({
        name,
        header,
        flags: 0,
        compare,
        onRow: (key, value, flags) => {
          if (flags !== 0 && flags !== isLongFlag) throw new Damage(`a row of ${name} is of no known kind`);
          if (!this.#isSound({ database: name, key, value }))
            throw new Damage(`a row of ${name} is not as it was written`);
        },
      });
    }
    const free: Buffer[] = [];
    await this.#walkTree({
      name: 'free',
      header: freeTree,
      flags: metaFlags,
      compare: (one, other) => Number(one.readBigUInt64LE() - other.readBigUInt64LE()),
      onRow: (key, value) => {
        if (key.readBigUInt64LE() > this.#meta.transaction) throw new Damage('a page is free too early');
        free.push(Buffer.from(value));
      },
    });
    for (const list of free) this.#checkFree(list);
  }

  async #walkTree(options: Pick<TreeWalk, 'name' | 'header' | 'flags' | 'compare' | 'onRow'>): Promise<void> {
    const tree: TreeWalk = { ...options, branchPages: 0, leafPages: 0, overflowPages: 0, rows: 0 };
    const { name, header, flags } = tree;
    if (header.flags !== flags) throw new Damage(`the tree ${name} is of no known kind`);
    if (header.root === noPage) {
      const { depth, rows, branchPages, leafPages, overflowPages } = header;
      if (depth !== 0 || (rows | branchPages | leafPages | overflowPages) !== 0n)
        throw new Damage(`the tree ${name} has no pages`);
      return;
    }
    if (header.depth < 1 || header.depth > depthMax) throw new Damage(`the tree ${name} has no depth`);
    const bounds = { from: null, to: null, depth: 1, transactionMax: this.#meta.transaction };
    await this.#walkPage(tree, Number(header.root), bounds);
    const isCounted =
      BigInt(tree.branchPages) === header.branchPages &&
      BigInt(tree.leafPages) === header.leafPages &&
      BigInt(tree.overflowPages) === header.overflowPages &&
      BigInt(tree.rows) === header.rows;
    if (!isCounted) throw new Damage(`the tree ${name} does not have as many rows or pages as it says`);
  }

  async #walkPage(tree: TreeWalk, pageNumber: number, bounds: Bounds): Promise<void> {
    const page = this.#readPage(pageNumber, bounds.transactionMax, 1);
    this.#pagesRead += 1;
    if (this.#pagesRead % pagesPerTurn === 0) await nextTurn();
    const isLeaf = bounds.depth === tree.header.depth;
    if (page.readUInt16LE(18) !== (isLeaf ? leafFlag : branchFlag))
      throw new Damage(`page ${pageNumber} is of the wrong kind`);
    const nodes = this.#nodesOf(page, pageNumber, isLeaf);
    this.#checkOrder(tree, nodes, { ...bounds, isLeaf, pageNumber });
    if (isLeaf) {
      tree.leafPages += 1;
      tree.rows += nodes.length;
      for (const node of nodes) await tree.onRow(node.key, this.#valueOf(tree, node, page), node.flags);
      return;
    }
    tree.branchPages += 1;
    for (const [index, node] of nodes.entries()) {
      await this.#walkPage(tree, node.child, {
        from: index === 0 ? bounds.from : node.key,
        to: nodes[index + 1]?.key ?? bounds.to,
        depth: bounds.depth + 1,
        // A page is never younger than the one that leads to it, which was written anew together with it.
        transactionMax: page.readBigUInt64LE(8),
      });
    }
  }

  #readPage(pageNumber: number, transactionMax: bigint, count: number): Buffer {
    const { pageBytes, lastPage } = this.#meta;
    if (pageNumber < 2 || pageNumber + count - 1 > Number(lastPage))
      throw new Damage(`there is no page ${pageNumber}`);
    for (let number = pageNumber; number < pageNumber + count; number += 1) {
      if (this.#seen[number] !== 0) throw new Damage(`page ${number} is used twice`);
      this.#seen[number] = 1;
    }
    const page = Buffer.allocUnsafe(pageBytes * count);
    const read = readSync(this.#descriptor, page, 0, page.length, pageNumber * pageBytes);
    if (read < page.length) throw new Damage(`page ${pageNumber} is beyond the end`);
    if (page.readBigUInt64LE(0) !== BigInt(pageNumber))
      throw new Damage(`page ${pageNumber} has another number`);
    if (page.readBigUInt64LE(8) > transactionMax) throw new Damage(`page ${pageNumber} is too young`);
    return page;
  }

  /** The nodes fill the end of the page without a hole, so a size that is wrong is found. */
  #nodesOf(page: Buffer, pageNumber: number, isLeaf: boolean): Node[] {
    const broken = (): Damage => new Damage(`page ${pageNumber} is broken`);
    const lower = page.readUInt16LE(20);
    const upper = page.readUInt16LE(22);
    const end = page.length - headerBytes;
    if (lower % 2 !== 0 || lower > upper || upper > end || (lower === 0 && isLeaf)) throw broken();
    const starts: number[] = [];
    const ends: number[] = [];
    const nodes: Node[] = [];
    for (let index = 0; index < lower / 2; index += 1) {
      const start = page.readUInt16LE(headerBytes + index * 2);
      if (start < upper || start % 2 !== 0 || start + nodeHeaderBytes > end) throw broken();
      const at = headerBytes + start;
      const flags = page.readUInt16LE(at + 4);
      const keyBytes = page.readUInt16LE(at + 6);
      const size = page.readUInt32LE(at);
      const isLong = isLeaf && (flags & isLongFlag) !== 0;
      const dataBytes = isLeaf ? (isLong ? overflowReferenceBytes : size) : 0;
      const bytes = nodeHeaderBytes + keyBytes + dataBytes;
      if (start + bytes > end) throw broken();
      const keyAt = at + nodeHeaderBytes;
      nodes.push({
        flags: isLeaf ? flags : 0,
        key: page.subarray(keyAt, keyAt + keyBytes),
        size,
        child: isLeaf ? 0 : size + flags * 2 ** 32,
        data: page.subarray(keyAt + keyBytes, keyAt + keyBytes + dataBytes),
      });
      starts.push(start);
      ends.push(start + bytes + (bytes % 2));
    }
    starts.sort((a, b) => a - b);
    ends.sort((a, b) => a - b);
    for (const [index, start] of starts.entries()) {
      if (start !== (index === 0 ? upper : ends[index - 1])) throw broken();
    }
    if ((ends.at(-1) ?? end) !== end) throw broken();
    return nodes;
  }

  #checkOrder(
    tree: TreeWalk,
    nodes: readonly Node[],
    bounds: Bounds & { isLeaf: boolean; pageNumber: number },
  ): void {
    // The first key of a branch means nothing.
    const keys = nodes.slice(bounds.isLeaf ? 0 : 1).map(({ key }) => key);
    const all = [bounds.from, ...keys, bounds.to];
    for (let index = 1; index < all.length; index += 1) {
      const [one, other] = [all[index - 1]!, all[index]!];
      if (one === null || other === null) continue;
      const order = tree.compare(one, other);
      if (order > 0 || (order === 0 && !(index === 1 && bounds.isLeaf)))
        throw new Damage(`the keys of page ${bounds.pageNumber} are not in order`);
    }
  }

  #valueOf(tree: TreeWalk, node: Node, page: Buffer): Buffer {
    if ((node.flags & isLongFlag) === 0) return node.data;
    const first = Number(node.data.readBigUInt64LE(0));
    const { pageBytes } = this.#meta;
    const count = Math.floor((headerBytes - 1 + node.size) / pageBytes) + 1;
    if (node.data.readBigUInt64LE(16) !== BigInt(count))
      throw new Damage(`a long row of ${tree.name} has another length`);
    const pages = this.#readPage(first, page.readBigUInt64LE(8), count);
    if (pages.readUInt16LE(18) !== overflowFlag || pages.readUInt32LE(20) !== count)
      throw new Damage(`page ${first} is of the wrong kind`);
    tree.overflowPages += count;
    return pages.subarray(headerBytes, headerBytes + node.size);
  }

  /** A list of page numbers. A negative number says how many pages follow from the next one on; 0 is an empty place. */
  #checkFree(list: Buffer): void {
    const count = Number(list.readBigInt64LE(0));
    for (let index = 1; index <= count; index += 1) {
      const entry = Number(list.readBigInt64LE(index * 8));
      if (entry === 0) continue;
      let [first, length] = [entry, 1];
      if (entry < 0) {
        index += 1;
        [first, length] = [Number(list.readBigInt64LE(index * 8)), -entry];
      }
      if (first < 2 || first + length - 1 > Number(this.#meta.lastPage))
        throw new Damage(`there is no page ${first} that could be free`);
      for (let page = first; page < first + length; page += 1) {
        if (this.#seen[page] !== 0) throw new Damage(`page ${page} is free and used`);
        this.#seen[page] = 1;
      }
    }
  }
}
