import { randomUUID } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve, sep } from 'node:path';
import { isProcessRunning } from '@runlog/topic-io/embedded/owner';
import { parseJson } from '@runlog/topic-io/parse-json';
import { z } from 'zod';

/** Of more processes than these, the rest is not looked at. */
const FOLLOWERS_MAX = 1_000;

const following = z.object({ pid: z.int().positive(), server: z.string(), paths: z.array(z.string()) });

/** What one process follows, as others can compare it. */
type Following = z.infer<typeof following>;

export interface OtherFollower {
  readonly pid: number;
  /** A path that both follow, or that holds what the other follows. */
  readonly path: string;
}

export interface Announcement extends AsyncDisposable {
  /** Those that run now and were announced before this one, or at the same moment. */
  readonly others: readonly OtherFollower[];
}

export interface AnnounceOptions {
  readonly paths: readonly string[];
  readonly ingestUrl: string;
  /** Where the processes of a user tell each other what they follow; a folder for temporary files if it is not set. */
  readonly folder?: string;
  readonly pid?: number;
}

/**
 * Tells other processes of this user on this machine what this one follows, and finds those that follow the same. It is told
 * before it is looked, so of two that start together at least one finds the other. Rejects as the file system does.
 */
export async function announceFollowing(options: AnnounceOptions): Promise<Announcement> {
  const { folder = join(tmpdir(), `runlog-following-${userId()}`), pid = process.pid } = options;
  await ownFolder(folder);
  const own: Following = {
    pid,
    server: serverOf(options.ingestUrl),
    paths: await Promise.all(options.paths.map((path) => realpath(path).catch(() => resolve(path)))),
  };
  const name = `${pid}-${randomUUID()}.json`;
  // Whoever reads it sees all of it or nothing.
  await writeFile(join(folder, `${name}.new`), JSON.stringify(own), { mode: 0o600 });
  await rename(join(folder, `${name}.new`), join(folder, name));
  const others: OtherFollower[] = [];
  const names = (await readdir(folder)).filter((each) => each.endsWith('.json') && each !== name);
  for (const each of names.slice(0, FOLLOWERS_MAX)) {
    const other = await runningFollower(join(folder, each), pid);
    const path = other === null ? undefined : sharedPath(own, other);
    if (other !== null && path !== undefined) others.push({ pid: other.pid, path });
  }
  return { others, [Symbol.asyncDispose]: () => rm(join(folder, name), { force: true }) };
}

/** Others could write into a folder that is not this user's. */
async function ownFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const status = await lstat(folder);
  if (!status.isDirectory() || status.uid !== userId()) {
    throw new Error(`${folder} is not a folder of this user`);
  }
}

/** Where users have no numbers, all files are of number 0. */
function userId(): number {
  return process.getuid?.() ?? 0;
}

/** Returns null, and removes the file, if the process has ended without doing so. */
async function runningFollower(path: string, ownPid: number): Promise<Following | null> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const other = following.safeParse(parseJson(text)).data ?? null;
  // A number is given again: what was told under the own one is of a process that has ended.
  if (other !== null && other.pid !== ownPid && isProcessRunning(other.pid)) return other;
  await rm(path, { force: true }).catch(() => {});
  return null;
}

function sharedPath(own: Following, other: Following): string | undefined {
  if (own.server !== other.server) return undefined;
  return own.paths.find((path) => other.paths.some((each) => isWithin(path, each) || isWithin(each, path)));
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);
}

/** The names of this machine are one. */
function serverOf(ingestUrl: string): string {
  const { protocol, hostname, port } = new URL(ingestUrl);
  const host = hostname === 'localhost' || hostname === '[::1]' ? '127.0.0.1' : hostname;
  return `${protocol}//${host}:${port}`;
}
