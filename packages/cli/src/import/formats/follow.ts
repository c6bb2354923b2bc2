import { setTimeout as delay } from 'node:timers/promises';
import type { ReadingOptions, Recorded, RecordingReader } from '../recorded-source.ts';
import { type Found, type FoundCache, findSources } from './find-sources.ts';
import { openSource } from './open-source.ts';
import type { Source, SourceItem } from './source.ts';

const LOOK_EVERY_MS = 1_000;
const LOOK_EVERY_MS_MAX = 30_000;
/** A look may take at most this share of the time. */
const BUSY_SHARE = 0.05;
/** Above it further sources are not followed, and that is said. */
const SOURCES_MAX = 10_000;
/** Paths of which it was said once that they are not read. */
const TOLD_MAX = 10_000;

export interface FollowOptions {
  readonly paths: readonly string[];
  readonly runId: string | undefined;
  /** Ends the following after a last look. */
  readonly stop: AbortSignal;
  /** Says something of a path, once as long as it stays so. */
  readonly onNote: (path: string, message: string) => void;
  readonly onLeftOut: (leftOut: { what: string; count: number }) => void;
  readonly onSource: (path: string) => void;
  readonly now: () => number;
  /** How often files are looked at; less often where one look takes long. A second if it is not set. */
  readonly lookEveryMs?: number;
}

interface Followed {
  readonly source: Source;
  readonly root: string;
}

/**
 * Follows files and folders that grow: new files are found, files that were replaced, cut or rewritten are read anew, and those
 * that vanish are forgotten. Nothing is open between two looks, and a look at a file that did not change is one system call.
 * The reader ends after `stop`. `unread` has the paths that could not be read at the last look.
 */
export function createFollower(options: FollowOptions): {
  readonly read: RecordingReader;
  readonly unread: ReadonlySet<string>;
} {
  const followed = new Map<string, Followed>();
  const told = new Map<string, string>();
  const unread = new Set<string>();
  const cache: FoundCache = new Map();

  function note(path: string, message: string): void {
    if (told.get(path) === message) return;
    if (told.size >= TOLD_MAX) told.clear();
    told.set(path, message);
    options.onNote(path, message);
  }

  async function* look(reading: ReadingOptions): AsyncGenerator<SourceItem> {
    const here = new Set<string>();
    for (const root of options.paths) {
      try {
        for await (const found of findSources(root, { runId: options.runId, cache })) {
          const path = take(found, root);
          if (path !== null) here.add(path);
        }
        recovered(root);
      } catch (error) {
        unread.add(root);
        note(root, isAbsent(error) ? 'is not there; waiting for it' : troubleOf(error));
        for (const [path, { root: of }] of followed) if (of === root) here.add(path);
      }
    }
    for (const [path, { source }] of followed) {
      if (!here.has(path)) {
        followed.delete(path);
        yield { place: `${path}:gone`, source: path, restarted: true };
        continue;
      }
      try {
        for await (const item of source.read({ ...reading, growing: true })) {
          yield { ...item, source: path, place: `${path}:${item.place}` };
        }
        recovered(path);
      } catch (error) {
        failed(path, error);
      }
    }
  }

  function take(found: Found, root: string): string | null {
    if (found.kind === 'passed') return null;
    if (found.kind === 'not_read') {
      note(found.path, found.reason);
      unread.add(found.path);
      return null;
    }
    const { path } = found.source;
    if (path.endsWith('.gz')) {
      note(path, 'is compressed and cannot be followed; import it by its name');
      unread.add(path);
      return null;
    }
    if (followed.has(path)) return path;
    if (followed.size >= SOURCES_MAX) {
      note(path, `is not followed, since ${SOURCES_MAX} others are`);
      unread.add(path);
      return null;
    }
    followed.set(path, { source: openSource(found.source), root });
    options.onSource(path);
    return path;
  }

  /** A file may vanish at any moment, and the next look knows that. */
  function failed(path: string, error: unknown): void {
    if (isAbsent(error)) return;
    unread.add(path);
    note(path, troubleOf(error));
  }

  function recovered(path: string): void {
    if (unread.delete(path)) told.delete(path);
  }

  async function* read(_path: string, reading: ReadingOptions): AsyncGenerator<Recorded> {
    for (;;) {
      const isLast = options.stop.aborted;
      const startedAtMs = options.now();
      let isIdle = true;
      for await (const item of look(reading)) {
        isIdle = false;
        if ('leftOut' in item) options.onLeftOut(item.leftOut);
        else yield item;
      }
      yield { place: '', caughtUp: true };
      if (isLast) return;
      // Where something came, the time is that of whoever took it.
      const tookMs = isIdle ? options.now() - startedAtMs : 0;
      const everyMs = Math.max(options.lookEveryMs ?? LOOK_EVERY_MS, tookMs / BUSY_SHARE);
      const pauseMs = Math.min(LOOK_EVERY_MS_MAX, everyMs);
      await delay(pauseMs, undefined, { signal: options.stop }).catch(() => {});
    }
  }

  return { read, unread };
}

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function troubleOf(error: unknown): string {
  return `cannot be read (${(error as Error).message}); trying again`;
}
