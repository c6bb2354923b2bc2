import type { Dirent, Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { KnownSource } from './open-source.ts';
import { runIdOfFolder, runIdOfTable } from './run-name.ts';
import { type FileFormat, sniffFile } from './sniff.ts';
import { compareEventFiles } from './tensorboard.ts';

/**
 * What was found at a path: a source, a recording that cannot be read, with the reason, or a file that is called as recordings
 * are and holds something else.
 */
export type Found =
  | { readonly kind: 'source'; readonly source: KnownSource; readonly bytes: number }
  | { readonly kind: 'not_read'; readonly path: string; readonly reason: string }
  | { readonly kind: 'passed'; readonly path: string };

export interface FindOptions {
  /** The run that all of it belongs to, if one is given. */
  readonly runId: string | undefined;
  /** Keeps what was found, for whoever looks again and again: a file that is known is not opened. */
  readonly cache?: FoundCache;
}

export type FoundCache = Map<string, { readonly state: string; readonly found: Found | null }>;

const DEPTH_MAX = 32;
const ENTRIES_MAX = 200_000;
const mlflowFolders = ['metrics', 'params', 'tags'];
/** Folders that hold no run. */
const passedFolders: ReadonlySet<string> = new Set(['node_modules', '__pycache__', 'site-packages']);
/** wandb keeps pictures, tables and its own log beside the file of a run, in the folder that it names. */
const wandbFolders: ReadonlySet<string> = new Set(['files', 'logs', 'tmp']);

export const SQLITE_REASON = `is a database. If it is MLflow's, write its metrics into a CSV file and import that: sqlite3 -header -csv mlflow.db "SELECT run_uuid AS run_id, key, iif(is_nan, 'nan', value) AS value, timestamp, step FROM metrics ORDER BY timestamp" > metrics.csv`;

/**
 * Finds what can be imported: the file that is named, or all that is recognised below a folder, the event files of a folder in
 * their order. Links are followed only if they are named. Rejects as the file system does if the path itself cannot be read.
 */
export async function* findSources(path: string, options: FindOptions): AsyncGenerator<Found> {
  const status = await stat(path);
  if (status.isDirectory()) {
    yield* below(path, { root: path, depth: 0, seen: { entries: 0 }, ...options });
    return;
  }
  const found = await cached(path, { ...options, status, find: () => namedFile(path, status, options) });
  if (found !== null) yield found;
}

/** What a source is does not change while it is the same file. Anything else may become one when it has more contents. */
async function cached(
  path: string,
  of: FindOptions & { status: Stats; find: () => Promise<Found | null> },
): Promise<Found | null> {
  const { dev, ino, size, mtimeMs } = of.status;
  const known = of.cache?.get(path);
  const [file, contents] = [`${dev}:${ino}`, `${dev}:${ino}:${size}:${mtimeMs}`];
  if (known !== undefined && (known.state === file || known.state === contents)) return known.found;
  const found = await of.find();
  if (of.cache !== undefined && of.cache.size >= ENTRIES_MAX) of.cache.clear();
  of.cache?.set(path, { state: found?.kind === 'source' ? file : contents, found });
  return found;
}

async function namedFile(path: string, status: Stats, { runId }: FindOptions): Promise<Found> {
  // A pipe can be read once.
  const { format } = status.isFile() ? await sniffFile(path) : ({ format: 'events' } as const);
  const isRunGiven = runId !== undefined;
  const folder = dirname(path);
  switch (format) {
    case 'sqlite':
      return { kind: 'not_read', path, reason: SQLITE_REASON };
    case 'tensorboard': {
      const source = { path, format, runId: runId ?? runIdOfFolder(folder, folder), isRunGiven };
      return { kind: 'source', source, bytes: status.size };
    }
    case 'events':
    case 'csv':
    case 'wandb': {
      const source = { path, format, runId: runId ?? runIdOfTable(path, folder), isRunGiven };
      return { kind: 'source', source, bytes: status.size };
    }
    default: {
      const never: never = format;
      throw new Error(`unknown format ${String(never)}`);
    }
  }
}

interface Walk extends FindOptions {
  readonly root: string;
  readonly depth: number;
  readonly seen: { entries: number };
}

async function* below(folder: string, walk: Walk): AsyncGenerator<Found> {
  const entries = await entriesOf(folder);
  walk.seen.entries += entries.length;
  if (walk.depth > DEPTH_MAX || walk.seen.entries > ENTRIES_MAX) {
    const reason = `is too large to look through (over ${DEPTH_MAX} folders deep, or ${ENTRIES_MAX} entries)`;
    yield { kind: 'not_read', path: folder, reason };
    return;
  }
  if (isMlflowRun(entries)) {
    const runId = walk.runId ?? basename(folder);
    const source = { path: folder, format: 'mlflow', runId, isRunGiven: walk.runId !== undefined } as const;
    yield { kind: 'source', source, bytes: 0 };
    return;
  }
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(folder, entry.name));
  for (const path of files.sort(compareEventFiles)) {
    const found = await fileIn(path, walk);
    if (found !== null) yield found;
  }
  const isWandbs =
    /^(?:offline-)?run-/.test(basename(folder)) && files.some((path) => path.endsWith('.wandb'));
  for (const entry of entries) {
    if (!entry.isDirectory() || entry.name.startsWith('.') || passedFolders.has(entry.name)) continue;
    if (isWandbs && wandbFolders.has(entry.name)) continue;
    yield* below(join(folder, entry.name), { ...walk, depth: walk.depth + 1 });
  }
}

/** Returns null for what nobody would call a recording, and for what vanished. */
async function fileIn(path: string, walk: Walk): Promise<Found | null> {
  if (!/tfevents|\.(?:wandb|csv|tsv|jsonl|ndjson)$|\.(?:jsonl|ndjson)\.gz$|mlflow\.db$/.test(path))
    return null;
  try {
    const status = await stat(path);
    return await cached(path, { ...walk, status, find: () => sniffedFile(path, status, walk) });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    return { kind: 'not_read', path, reason: `cannot be read (${(error as Error).message})` };
  }
}

async function sniffedFile(path: string, status: Stats, { root, runId }: Walk): Promise<Found | null> {
  const { format, isSure } = await sniffFile(path);
  if (format === 'sqlite') return { kind: 'not_read', path, reason: SQLITE_REASON };
  if (!isSure && !path.endsWith('.gz')) return passedFile(path, { format, bytes: status.size });
  const own = format === 'tensorboard' ? runIdOfFolder(dirname(path), root) : runIdOfTable(path, root);
  const source = { path, format, runId: runId ?? own, isRunGiven: runId !== undefined };
  return { kind: 'source', source, bytes: status.size };
}

/** A file without contents may be one that has just begun. */
function passedFile(path: string, of: { format: FileFormat; bytes: number }): Found | null {
  if (of.bytes === 0) return null;
  if (of.format === 'events' || of.format === 'csv') return { kind: 'passed', path };
  return { kind: 'not_read', path, reason: 'does not begin as such a file does' };
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return entries.sort((left, right) => (left.name < right.name ? -1 : 1));
}

function isMlflowRun(entries: readonly Dirent[]): boolean {
  return (
    entries.some((entry) => entry.name === 'meta.yaml' && entry.isFile()) &&
    entries.some((entry) => entry.isDirectory() && mlflowFolders.includes(entry.name))
  );
}
