import { realpath } from 'node:fs/promises';
import type { Logger } from '../logger.ts';
import {
  type FencedWriter,
  type GroupMember,
  type OpenTransaction,
  type PartitionBounds,
  type ReaderOptions,
  type TopicDescription,
  type TopicIo,
  TopicIoError,
  type TopicReader,
  type TopicSpec,
  type TopicWriter,
} from '../topic-io.ts';
import { Committer, closedFault } from './committer.ts';
import { syncFolder } from './durable.ts';
import { EmbeddedFencedWriter } from './fenced-writer.ts';
import { inspectFolder, setUnfinishedAside, unusable, writeMarker } from './folder.ts';
import { EmbeddedGroups } from './group.ts';
import { Housekeeping } from './housekeeping.ts';
import { checkReadableBeside, type FolderLock, isOwned, lockFolder } from './lock.ts';
import { EmbeddedReader } from './reader.ts';
import { readBounds, type Stage } from './stage.ts';
import { type EmbeddedStore, openStore } from './store.ts';
import { describeTopic, TopicCatalog } from './topics.ts';
import { LogView } from './view.ts';
import { EmbeddedWriter } from './writer.ts';

export interface EmbeddedOptions {
  /** The folder of the log. It is made if it does not exist. */
  readonly folder: string;
  /** If true, the log is read beside a living owner, and everything that writes is refused with `unusable`. */
  readonly readOnly?: boolean;
  /**
   * The number of bytes that the log may hold before appends end with `storage_full`. By default only the disk limits
   * it.
   */
  readonly mapBytesMax?: number;
  /** The least number of bytes by which the file grows. */
  readonly growBytes?: number;
  readonly logger: Logger;
  readonly now?: () => number;
}

/** How far a reader in another process may lag behind the owner. */
const readOnlyPollMs = 100;
const growBytesDefault = 1024 * 1024;

/**
 * Opens the log in a local folder. One process owns it, and others may read it at the same time. Rejects with
 * `unusable` if another process owns the folder, or if it is not a runlog log, is damaged or cannot be written; then
 * nothing in it is changed.
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<TopicIo> {
  const { logger, now = Date.now, mapBytesMax = Number.MAX_SAFE_INTEGER, readOnly = false } = options;
  const { growBytes = growBytesDefault } = options;
  try {
    await inspectFolder(options.folder, { create: !readOnly, deep: false });
    const folder = await realpath(options.folder);
    const opened = readOnly
      ? await openAsReader({ folder, mapBytesMax })
      : await openAsOwner({ folder, mapBytesMax, growBytes });
    return new EmbeddedTopicIo({ ...opened, logger, now });
  } catch (error) {
    if (error instanceof TopicIoError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    switch (code) {
      case 'EACCES':
      case 'EPERM':
      case 'EROFS':
        throw unusable(
          options.folder,
          'cannot be written: no permission; change its owner or choose another',
          error,
        );
      case 'ENOSPC':
      case 'EDQUOT':
        throw new TopicIoError('storage_full', `${options.folder}: the disk is full`, { cause: error });
      default:
        throw unusable(options.folder, `cannot be opened: ${message}`, error);
    }
  }
}

interface Opened {
  readonly folder: string;
  readonly store: EmbeddedStore;
  readonly lock: FolderLock | null;
  readonly mayBeUnsealed: boolean;
}

/** An owner that is running has checked the whole database. */
async function openAsReader(options: { folder: string; mapBytesMax: number }): Promise<Opened> {
  const { folder, mapBytesMax } = options;
  await checkReadableBeside(folder);
  const shallow = { create: false, deep: false };
  const { mayBeUnsealed } = (await isOwned(folder))
    ? await inspectFolder(folder, shallow)
    : await inspectFolder(folder, { create: false, deep: true }).catch(async (error: unknown) => {
        // An owner that began to write meanwhile has moved what was being read.
        if (await isOwned(folder)) return await inspectFolder(folder, shallow);
        throw error;
      });
  return {
    folder,
    store: openStore({ folder, readOnly: true, mapBytesMax, mayBeUnsealed }),
    lock: null,
    mayBeUnsealed,
  };
}

async function openAsOwner(options: {
  folder: string;
  mapBytesMax: number;
  growBytes: number;
}): Promise<Opened> {
  const { folder, mapBytesMax, growBytes } = options;
  const lock = await lockFolder(folder);
  try {
    // The folder is inspected again, because another owner may have come and gone since.
    const { isReady, mayBeUnsealed } = await inspectFolder(folder, { create: true, deep: true });
    if (!isReady) {
      await setUnfinishedAside(folder);
      await writeMarker(folder, { state: 'creating', mayBeUnsealed });
    }
    const store = openStore({ folder, readOnly: false, mapBytesMax, mayBeUnsealed });
    try {
      // From here on a power cut takes back neither the file nor what an owner that was killed had written.
      await store.growBy(growBytes);
      await syncFolder(folder);
      await writeMarker(folder, { state: 'ready', mayBeUnsealed });
    } catch (error) {
      await store[Symbol.asyncDispose]();
      throw error;
    }
    return { folder, store, lock, mayBeUnsealed };
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}

class EmbeddedTopicIo implements TopicIo {
  readonly engine = 'embedded';
  readonly #folder: string;
  readonly #mayBeUnsealed: boolean;
  readonly #logger: Logger;
  readonly #store: EmbeddedStore;
  /** Is null if the log was opened for reading only. */
  readonly #lock: FolderLock | null;
  readonly #catalog: TopicCatalog;
  readonly #view: LogView;
  readonly #committer: Committer;
  readonly #housekeeping: Housekeeping;
  readonly #groups = new EmbeddedGroups();
  readonly #readers = new Set<EmbeddedReader>();
  #disposal: Promise<void> | null = null;

  constructor(options: Opened & { logger: Logger; now: () => number }) {
    const { folder, store, lock, mayBeUnsealed, logger, now } = options;
    this.#mayBeUnsealed = mayBeUnsealed;
    this.#folder = folder;
    this.#logger = logger;
    this.#store = store;
    this.#lock = lock;
    this.#catalog = new TopicCatalog({ store, remember: lock !== null });
    this.#view = new LogView({ store, catalog: this.#catalog });
    const onWritten = (stage: Stage): void => {
      this.#catalog.forget(stage.changedTopics);
      this.#view.changed(stage);
    };
    this.#committer = new Committer({ store, logger, now, onWritten });
    this.#housekeeping = new Housekeeping({
      store,
      committer: this.#committer,
      catalog: this.#catalog,
      logger,
      now,
    });
    if (lock !== null) this.#housekeeping.start();
  }

  async ensureTopics(specs: readonly TopicSpec[]): Promise<TopicDescription[]> {
    this.#checkWritable();
    return await this.#catalog.ensure(this.#committer, specs);
  }

  async describeTopic(name: string): Promise<TopicDescription | null> {
    this.#checkOpen();
    const topic = this.#catalog.find(name);
    return topic === null ? null : describeTopic(topic);
  }

  /** A transaction is one write here: none is ever open. */
  async openTransactions(): Promise<readonly OpenTransaction[]> {
    this.#checkOpen();
    return [];
  }

  throttledMs(): number {
    return 0;
  }

  async deleteTopic(name: string, only: { id?: string | undefined } = {}): Promise<void> {
    this.#checkWritable();
    await this.#catalog.remove(this.#committer, { name, ...only });
    this.#housekeeping.start();
  }

  async bounds(topic: string): Promise<PartitionBounds[]> {
    this.#checkOpen();
    const found = this.#catalog.find(topic);
    if (found === null) throw new TopicIoError('unusable', `there is no topic ${topic}`);
    return Array.from({ length: found.partitions }, (_, partition) =>
      readBounds(this.#store, found.id, partition),
    );
  }

  async offsetAtTime(position: { topic: string; partition: number; timestampMs: number }): Promise<number> {
    this.#checkOpen();
    return await this.#view.offsetAtTime(position);
  }

  async writer(options: { laneBytesMax?: number } = {}): Promise<TopicWriter> {
    this.#checkWritable();
    const { laneBytesMax } = options;
    return new EmbeddedWriter({ committer: this.#committer, catalog: this.#catalog, laneBytesMax });
  }

  async fencedWriter(id: string): Promise<FencedWriter> {
    this.#checkWritable();
    return await EmbeddedFencedWriter.open({ committer: this.#committer, catalog: this.#catalog, id });
  }

  reader(options: ReaderOptions): TopicReader {
    this.#checkOpen();
    const reader = new EmbeddedReader({
      view: this.#view,
      topic: options.topic,
      key: options.key ?? null,
      signal: options.signal,
      onFault: options.onFault,
      onAnswer: options.onAnswer,
      onDispose: (disposed) => this.#readers.delete(disposed),
      pollIntervalMs: this.#lock === null ? readOnlyPollMs : null,
    });
    this.#readers.add(reader);
    return reader;
  }

  async groupMember(options: { group: string; topic: string; signal?: AbortSignal }): Promise<GroupMember> {
    this.#checkWritable();
    const topic = this.#catalog.find(options.topic);
    if (topic === null) throw new TopicIoError('unusable', `there is no topic ${options.topic}`);
    const { group, signal } = options;
    return this.#groups.join({ group, topic: topic.name, partitions: topic.partitions, signal });
  }

  async ping(): Promise<void> {
    this.#checkOpen();
    this.#view.refresh();
  }

  /** Closes the log. Records that were handed in before are still written. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#dispose();
    await this.#disposal;
  }

  async #dispose(): Promise<void> {
    for (const reader of [...this.#readers]) await reader[Symbol.asyncDispose]();
    this.#groups.close();
    const housekept = this.#housekeeping.close();
    await this.#committer.close();
    await housekept;
    this.#view.close();
    await this.#store[Symbol.asyncDispose]();
    if (this.#lock === null) return;
    try {
      if (await this.#lock.isInPlace())
        await writeMarker(this.#folder, { state: 'ready', mayBeUnsealed: this.#mayBeUnsealed });
    } catch (error) {
      // The marker only says how large the log has grown. On a full disk the older one stays.
      this.#logger.warn({ err: error }, 'the marker of the embedded log could not be renewed');
    }
    await this.#lock[Symbol.asyncDispose]();
  }

  #checkOpen(): void {
    if (this.#disposal !== null) throw closedFault();
    this.#store.refresh();
  }

  #checkWritable(): void {
    this.#checkOpen();
    if (this.#lock === null) throw new TopicIoError('unusable', 'the log is open for reading only');
  }
}
