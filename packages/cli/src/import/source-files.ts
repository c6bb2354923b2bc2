import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UsageError } from '../command.ts';
import { findSources } from './formats/find-sources.ts';
import type { KnownSource, SourceFormat } from './formats/open-source.ts';
import { STANDARD_INPUT } from './read-bytes.ts';
import { formerRunIdOfFile, runIdOfFile } from './run-name.ts';

/** A file, or the folder of a run of MLflow, that is imported. */
export interface SourceFile {
  readonly path: string;
  readonly bytes: number;
  /** What the file system calls it. */
  readonly inode: string;
  readonly runId: string;
  /** The name that former versions made of the file's, if it was another one. */
  readonly formerRunId: string | null;
  /** null: events in JSON. */
  readonly known: KnownSource | null;
}

export interface FoundFiles {
  readonly files: readonly SourceFile[];
  /** What lies beside them and is a recording that cannot be read. */
  readonly notRead: readonly { readonly path: string; readonly reason: string }[];
  /** What lies in a folder, is called as recordings are and holds something else. */
  readonly passed: readonly string[];
}

/** Finds what the paths name, and below a folder all that can be imported. Says everything that is wrong with them at once. */
export async function filesToImport(
  paths: readonly string[],
  runId: string | undefined,
): Promise<FoundFiles> {
  if (paths.length === 0) throw new UsageError('name at least one file or folder');
  const files: SourceFile[] = [];
  const notRead: { path: string; reason: string }[] = [];
  const passed: string[] = [];
  const faults: string[] = [];
  for (const path of paths) {
    if (path === STANDARD_INPUT) {
      // Whoever sends it again is a new emitter, and what is known already is not sent.
      if (runId === undefined) faults.push('standard input has no name: name its run with --run NAME');
      const inode = `stdin ${crypto.randomUUID()}`;
      files.push({ path, bytes: 0, inode, runId: runId ?? 'imported', formerRunId: null, known: null });
      continue;
    }
    try {
      const found = await filesAt(path, runId);
      files.push(...found.files);
      passed.push(...found.passed);
      if (found.files.length > 0) notRead.push(...found.notRead);
      else if (found.notRead.length > 0) {
        for (const { path: at, reason } of found.notRead) faults.push(`${at}: ${reason}`);
      } else
        faults.push(`${path}: nothing in this folder can be imported; a file that is named is always tried`);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      faults.push(`${path}: ${code === 'ENOENT' ? 'no such file' : message}`);
    }
  }
  faults.push(...(runId === undefined ? sharedNames(files) : []));
  if (faults.length > 0) throw new UsageError(faults.join('\n  '));
  return { files, notRead, passed };
}

async function filesAt(path: string, runId: string | undefined): Promise<FoundFiles> {
  const files: SourceFile[] = [];
  const notRead: { path: string; reason: string }[] = [];
  const passed: string[] = [];
  const isNamed = !(await stat(path)).isDirectory();
  for await (const found of findSources(path, { runId })) {
    if (found.kind === 'not_read') {
      notRead.push(found);
      continue;
    }
    if (found.kind === 'passed') {
      passed.push(found.path);
      continue;
    }
    const { source, bytes } = found;
    const inode = String((await stat(source.path, { bigint: true })).ino);
    const isNamedEvents = isNamed && source.format === 'events';
    const named = runId ?? (isNamedEvents ? runIdOfFile(source.path) : source.runId);
    const former = runId ?? (isNamedEvents ? formerRunIdOfFile(source.path) : named);
    files.push({
      ...{ path: source.path, bytes, inode, runId: named, formerRunId: former === named ? null : former },
      known: source.format === 'events' ? null : source,
    });
  }
  return { files, notRead, passed };
}

/** The formats whose files name the run themselves. */
const selfNamed: ReadonlySet<SourceFormat> = new Set(['wandb', 'mlflow']);

/** Names files that would be one run, although nobody said that they are. The event files of one folder are one run. */
function sharedNames(files: readonly SourceFile[]): string[] {
  const faults: string[] = [];
  const byName = new Map<string, { path: string; home: string }>();
  for (const { path, runId, known } of files) {
    if (known !== null && selfNamed.has(known.format)) continue;
    const home = known?.format === 'tensorboard' ? dirname(path) : path;
    const other = byName.get(runId);
    if (other !== undefined && other.home !== home) {
      faults.push(
        `${other.path} and ${path} would both be the run "${runId}"; import them one by one with --run`,
      );
    }
    byName.set(runId, { path, home });
  }
  return faults;
}
