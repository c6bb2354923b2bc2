import type { SeededRandom } from '../simulation/seeded-random.ts';
import type { DiskEvent } from './recording.ts';

const pageBytes = 4_096;
/** A disk writes a sector as a whole or not at all. */
const sectorBytes = 512;

/** What a power cut leaves of the writes that were not synced. */
export const losses = ['all', 'nothing', 'pages', 'sectors', 'torn'] as const;
export type Loss = (typeof losses)[number];

export const sizeLosses = ['with-sync', 'until-fsync'] as const;
/**
 * Whether fdatasync brings a new size to the disk. POSIX says so, as the size is needed to read the data; systems had
 * errors there.
 */
export type SizeLoss = (typeof sizeLosses)[number];

interface PendingWrite {
  readonly at: number;
  readonly bytes: Buffer;
}

class Inode {
  /** What is surely on the disk, with room beyond the size. */
  durable = Buffer.alloc(0);
  durableSize = 0;
  /** The sizes since then, oldest first. */
  sizes: number[] = [];
  pending: PendingWrite[] = [];

  get size(): number {
    return this.sizes.at(-1) ?? this.durableSize;
  }

  write(write: PendingWrite, options: { durable: boolean }): void {
    const end = write.at + write.bytes.length;
    if (end > this.size) this.sizes.push(end);
    if (options.durable) this.#apply(write);
    else this.pending.push(write);
  }

  sync(options: { size: boolean }): void {
    for (const write of this.pending) this.#apply(write);
    this.pending = [];
    if (!options.size) return;
    this.durableSize = this.size;
    this.sizes = [];
  }

  #apply({ at, bytes }: PendingWrite): void {
    if (this.durable.length < at + bytes.length) {
      const larger = Buffer.alloc((at + bytes.length) * 2);
      this.durable.copy(larger);
      this.durable = larger;
    }
    bytes.copy(this.durable, at);
  }
}

type NameChange =
  | { readonly kind: 'link'; readonly name: string; readonly inode: Inode }
  | { readonly kind: 'unlink'; readonly name: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly inode: Inode };

/** The files of a folder after a power cut, by name; null if the folder itself is gone. */
export type DiskImage = Map<string, Buffer> | null;

/** A disk that is told what a process does, and then loses its power. */
export class Disk {
  readonly #sizeLoss: SizeLoss;
  readonly #names = new Map<string, Inode>();
  readonly #durableNames = new Map<string, Inode>();
  #changes: NameChange[] = [];
  #folder: 'missing' | 'made' | 'durable' = 'missing';

  constructor(options: { sizeLoss: SizeLoss }) {
    this.#sizeLoss = options.sizeLoss;
  }

  apply(event: DiskEvent): void {
    switch (event.kind) {
      case 'make-folder':
        this.#folder = 'made';
        return;
      case 'create': {
        const inode = new Inode();
        this.#names.set(event.name, inode);
        this.#changes.push({ kind: 'link', name: event.name, inode });
        return;
      }
      case 'write':
      case 'durable-write':
        this.#find(event.name).write(event, { durable: event.kind === 'durable-write' });
        return;
      case 'truncate':
        this.#find(event.name).sizes.push(event.size);
        return;
      case 'sync-content':
        this.#find(event.name).sync({ size: this.#sizeLoss === 'with-sync' });
        return;
      case 'sync':
        this.#find(event.name).sync({ size: true });
        return;
      case 'sync-folder':
        for (const change of this.#changes) applyTo(this.#durableNames, change);
        this.#changes = [];
        return;
      case 'sync-parent':
        if (this.#folder === 'made') this.#folder = 'durable';
        return;
      case 'link': {
        const inode = this.#find(event.from);
        this.#names.set(event.to, inode);
        this.#changes.push({ kind: 'link', name: event.to, inode });
        return;
      }
      case 'rename': {
        const change: NameChange = { ...event, inode: this.#find(event.from) };
        applyTo(this.#names, change);
        this.#changes.push(change);
        return;
      }
      case 'unlink':
        applyTo(this.#names, event);
        this.#changes.push(event);
        return;
      case 'begin':
      case 'acknowledged':
      case 'refused':
        return;
      default:
        event satisfies never;
    }
  }

  /** With `tornNow` the newest event is a write that the cut caught half done. */
  cut(random: SeededRandom, loss: Loss): DiskImage {
    if (this.#folder === 'missing') return new Map();
    if (this.#folder === 'made' && random.chance(0.5)) return null;
    const names = new Map(this.#durableNames);
    // A file system with a journal brings changes of names to the disk in their order.
    const kept = random.pick([0, this.#changes.length, random.integer(0, this.#changes.length)]);
    for (const change of this.#changes.slice(0, kept)) applyTo(names, change);
    const image = new Map<string, Buffer>();
    for (const [name, inode] of names) image.set(name, contentOf(inode, random, loss));
    return image;
  }

  #find(name: string): Inode {
    const inode = this.#names.get(name);
    if (inode === undefined) throw new Error(`the recording writes to ${name}, which was never made`);
    return inode;
  }
}

function applyTo(names: Map<string, Inode>, change: NameChange): void {
  switch (change.kind) {
    case 'link':
      names.set(change.name, change.inode);
      return;
    case 'unlink':
      names.delete(change.name);
      return;
    case 'rename':
      names.delete(change.from);
      names.set(change.to, change.inode);
      return;
    default:
      change satisfies never;
  }
}

function contentOf(inode: Inode, random: SeededRandom, loss: Loss): Buffer {
  const size = random.pick([inode.durableSize, inode.size, random.pick([inode.durableSize, ...inode.sizes])]);
  const content = Buffer.alloc(Math.max(size, inode.size));
  inode.durable.copy(content);
  // The disk may write them in any order, but what it has of one place is never older than what was synced.
  const writes = random.chance(0.5) ? inode.pending : random.shuffled(inode.pending);
  const tornAt = random.integer(0, Math.max(0, writes.length - 1));
  for (const [index, write] of writes.entries()) keepSome(content, write, { random, loss, index, tornAt });
  return content.subarray(0, size);
}

function keepSome(
  content: Buffer,
  { at, bytes }: PendingWrite,
  options: { random: SeededRandom; loss: Loss; index: number; tornAt: number },
): void {
  const { random, loss, index, tornAt } = options;
  switch (loss) {
    case 'all':
      return;
    case 'nothing':
      bytes.copy(content, at);
      return;
    case 'pages':
    case 'sectors': {
      const step = loss === 'pages' ? pageBytes : sectorBytes;
      for (let from = 0; from < bytes.length; from += step) {
        if (random.chance(0.5)) bytes.copy(content, at + from, from, from + step);
      }
      return;
    }
    case 'torn':
      if (index < tornAt) bytes.copy(content, at);
      else if (index === tornAt) {
        const sectors = random.integer(0, Math.ceil(bytes.length / sectorBytes));
        bytes.copy(content, at, 0, sectors * sectorBytes);
      }
      return;
    default:
      loss satisfies never;
  }
}
