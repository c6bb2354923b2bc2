import { type FileHandle, open } from 'node:fs/promises';

const zerosBytes = 1024 * 1024;
const growBytesMax = 32 * 1024 * 1024;

/**
 * Makes the file larger before LMDB needs the room. LMDB syncs with fdatasync, which need not bring a new size to the
 * disk, so that a power cut could take the end of the file from under a commit. A disk that is full is also noticed
 * here, where nothing was begun: LMDB can damage the memory of the process when a write fails.
 */
export class FileRoom {
  readonly #path: string;
  readonly #growBytes: number;
  /** Is surely on disk. */
  #bytes: number;

  private constructor(path: string, options: { growBytes: number; bytes: number }) {
    this.#path = path;
    this.#growBytes = options.growBytes;
    this.#bytes = options.bytes;
  }

  static async of(path: string, options: { growBytes: number }): Promise<FileRoom> {
    const file = await open(path, 'r+');
    try {
      // An owner that was killed may have left what is visible, but not on disk.
      await file.sync();
      const { size } = await file.stat();
      return new FileRoom(path, { ...options, bytes: size });
    } finally {
      await file.close();
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves when the file surely has so many bytes. Rejects, and leaves the file as it was, if the disk is full. */
  async reach(bytes: number): Promise<void> {
    if (bytes <= this.#bytes) return;
    const step = Math.max(this.#growBytes, Math.min(growBytesMax, this.#bytes / 8));
    const generous = Math.ceil((bytes + step) / this.#growBytes) * this.#growBytes;
    const file = await open(this.#path, 'r+');
    try {
      await this.#extend(file, generous).catch(() => this.#extend(file, bytes));
    } finally {
      await file.close();
    }
  }

  /** Writes only behind what is there: LMDB makes the file larger by itself if it needs more than was expected. */
  async #extend(file: FileHandle, bytes: number): Promise<void> {
    const { size } = await file.stat();
    const zeros = Buffer.alloc(Math.max(0, Math.min(zerosBytes, bytes - size)));
    try {
      for (let at = size; at < bytes; ) {
        const { bytesWritten } = await file.write(zeros, 0, Math.min(zeros.length, bytes - at), at);
        at += bytesWritten;
      }
      await file.sync();
      this.#bytes = Math.max(bytes, size);
    } catch (error) {
      await file.truncate(size);
      throw error;
    }
  }
}
