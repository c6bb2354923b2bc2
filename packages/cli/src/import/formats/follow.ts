import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ReadingOptions, Recorded, RecordingReader } from '../recorded-source.ts';
import { type Found, type FoundCache, findSources } from './find-sources.ts';
import { type KnownSource, openSource } from './open-source.ts';
import type { Source, SourceItem } from './source.ts';

const LOOK_EVERY_MS = 1_000;
const LOOK_EVERY_MS_MAX = 30_000;
/** A look may take at most this share of the time. */
const BUSY_SHARE = 0.05;
/** Above it further sources are not followed, and that is said. */
const SOURCES_MAX = 10_000;
/** So long does a rotated file stay followed: whoever writes it goes on until it opens the new one. */
const ROTATED_QUIET_MS_MAX = 10 * 60_000;
const REPLACED =
  'was replaced, cut or rewritten and is read from its beginning; what it held before and nobody had read is not imported';
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

export interface Follower {
  readonly read: RecordingReader;
  /** The paths that could not be read at the last look. */
  readonly unread: ReadonlySet<string>;
  /** Makes the next reader read all from the beginning, also files that were rotated since. */
  readonly beginAgain: () => void;
}

interface Followed {
  readonly known: KnownSource;
  source: Source;
  readonly root: string;
  /** When something was read last of a file that was rotated; null for any other. */
  rotatedAtMs: number | null;
}

/**
 * Follows files and folders that grow: new files are found, files that were replaced, cut or rewritten are read anew, those
 * that were rotated are read to their end under their new name, and those that vanish are forgotten. Nothing is open between two
 * looks, and a look at a file that did not change is one system call. The reader ends after `stop`.
 */
export function createFollower(options: FollowOptions): Follower {
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
    for (const [path, one] of followed) {
      if (here.has(path) || one.rotatedAtMs !== null) yield* itemsOf(path, one, reading);
      else yield* gone(path, one, reading);
    }
  }

  async function* itemsOf(path: string, one: Followed, reading: ReadingOptions): AsyncGenerator<SourceItem> {
    const { source, rotatedAtMs } = one;
    try {
      for await (const item of source.read({ ...reading, growing: true })) {
        if (rotatedAtMs !== null) one.rotatedAtMs = options.now();
        yield { ...item, source: path, place: `${path}:${item.place}` };
        if ('restarted' in item) yield* rotated(path, one, { reading, to: item.movedTo });
      }
      recovered(path);
      if (rotatedAtMs === null || options.now() - rotatedAtMs < ROTATED_QUIET_MS_MAX) return;
    } catch (error) {
      if (rotatedAtMs === null || !isAbsent(error)) return failed(path, error);
    }
    yield* gone(path, one, reading);
  }

  async function* gone(path: string, one: Followed, reading: ReadingOptions): AsyncGenerator<SourceItem> {
    const movedTo = (await one.source.formerPath?.()) ?? path;
    followed.delete(path);
    yield { place: `${path}:gone`, source: path, restarted: true, movedTo };
    yield* rotated(path, one, { reading, to: movedTo });
  }

  /** Reads a file on under its new name. It is read from its beginning, and what was sent of it before is known. */
  async function* rotated(
    path: string,
    { known, root }: Followed,
    { reading, to }: { reading: ReadingOptions; to: string | null },
  ): AsyncGenerator<SourceItem> {
    if (to === null) return options.onNote(path, REPLACED);
    if (to === path || followed.has(to)) return;
    const moved = { ...known, path: to };
    const one = { known: moved, source: openSource(moved), root, rotatedAtMs: options.now() };
    followed.set(to, one);
    options.onNote(to, `was ${basename(path)} and is read to its end`);
    yield* itemsOf(to, one, reading);
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
    followed.set(path, { known: found.source, source: openSource(found.source), root, rotatedAtMs: null });
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

  function beginAgain(): void {
    for (const one of followed.values()) {
      if (one.source.beginAgain === undefined) one.source = openSource(one.known);
      else one.source.beginAgain();
    }
  }

  return { read, unread, beginAgain };
}

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function troubleOf(error: unknown): string {
  return `cannot be read (${(error as Error).message}); trying again`;
}
