import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What a process did to the files of a log's folder, in order. File names are relative to the folder. */
export type DiskEvent =
  | { readonly kind: 'make-folder' }
  | { readonly kind: 'create'; readonly name: string }
  | { readonly kind: 'write'; readonly name: string; readonly at: number; readonly bytes: Buffer }
  /** A write that is on disk when it returns; it takes nothing else along. */
  | { readonly kind: 'durable-write'; readonly name: string; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly name: string; readonly size: number }
  /** fdatasync: the content, but not the size. */
  | { readonly kind: 'sync-content'; readonly name: string }
  | { readonly kind: 'sync'; readonly name: string }
  | { readonly kind: 'sync-folder' }
  | { readonly kind: 'sync-parent' }
  | { readonly kind: 'link'; readonly from: string; readonly to: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly name: string }
  | { readonly kind: 'begin'; readonly operation: number }
  | { readonly kind: 'acknowledged'; readonly operation: number }
  | { readonly kind: 'refused'; readonly operation: number };

export interface Recording {
  /** The seed of the workload. */
  readonly seed: number;
  /** Null if the disk was never full. */
  readonly full: FullDisk | null;
  readonly events: readonly DiskEvent[];
}

/** From an operation on, the log may grow by so many bytes, until so many attempts were refused. */
export interface FullDisk {
  readonly operation: number;
  readonly bytes: number;
  readonly refusals: number;
}

const childPath = fileURLToPath(new URL('workload-child.ts', import.meta.url));
const calls =
  'openat,close,dup,lseek,write,pwrite64,writev,pwritev,ftruncate,fallocate,fsync,fdatasync,sync_file_range,msync,' +
  'mmap,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat';

/** Some containers have the tools and forbid tracing. */
export function canRecord(): boolean {
  return (
    spawnSync('strace', ['-o', '/dev/null', process.execPath, '-v']).status === 0 &&
    spawnSync('prlimit', ['--pid', String(process.pid)]).status === 0
  );
}

/** Runs a workload under strace. */
export async function record(options: Pick<Recording, 'seed' | 'full'>): Promise<Recording> {
  const { seed, full } = options;
  const parent = await mkdtemp(join(tmpdir(), 'runlog-power-'));
  try {
    const folder = join(parent, 'log');
    const marks = join(parent, 'marks');
    const trace = join(parent, 'trace');
    const child = spawn(
      'strace',
      ['-f', '-y', '-xx', '-s', '67108864', '-e', `trace=${calls}`, '-o', trace]
        .concat(process.execPath, '--import', 'tsx', childPath)
        .concat(String(seed), folder, marks, JSON.stringify(full)),
      { stdio: ['ignore', 'inherit', 'pipe'] },
    );
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`the workload of seed ${seed} ended with ${code}: ${errors}`);
    return { seed, full, events: parseTrace(await readFile(trace, 'latin1'), { folder, marks }) };
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

interface Call {
  readonly thread: string;
  readonly name: string;
  readonly text: string;
}

interface OpenFile {
  path: string;
  position: number;
  readonly isDurable: boolean;
}

/**
 * Writes count from the moment they begin, because a power cut may catch them half done, and syncs from the moment they
 * return.
 */
export function parseTrace(text: string, paths: { folder: string; marks: string }): DiskEvent[] {
  const events: DiskEvent[] = [];
  const files = new Map<number, OpenFile>();
  const known = new Set<string>();
  const begun = new Map<string, Call>();
  const nameOf = (path: string): string | null =>
    dirname(path) === paths.folder && !path.endsWith('.mdb-lock') ? basename(path) : null;

  const start = (call: Call): void => {
    const { name, text: args } = call;
    const file = /^(\d+)</.exec(args);
    const opened = file === null ? undefined : files.get(Number(file[1]));
    if (opened === undefined) return;
    const bytes = Buffer.concat(
      name.startsWith('write') || name.startsWith('pwrite') ? stringsOf(afterFile(args)) : [],
    );
    switch (name) {
      case 'write':
      case 'writev':
      case 'pwrite64':
      case 'pwritev': {
        if (opened.path === paths.marks) {
          for (const line of bytes.toString().split('\n')) pushMark(events, line);
          return;
        }
        const relative = nameOf(opened.path);
        if (relative === null) return;
        const at = name.startsWith('p') ? Number(/, (\d+)$/.exec(args)![1]) : opened.position;
        if (!name.startsWith('p')) opened.position += bytes.length;
        events.push({ kind: opened.isDurable ? 'durable-write' : 'write', name: relative, at, bytes });
        return;
      }
      default:
        return;
    }
  };

  const finish = (call: Call, result: number): void => {
    const { name, text: args } = call;
    if (result < 0) {
      const last = events.at(-1);
      // A write that was refused as a whole left nothing.
      if (/write/.test(name) && (last?.kind === 'write' || last?.kind === 'durable-write')) {
        const file = files.get(Number(/^(\d+)</.exec(args)?.[1]));
        if (file !== undefined && nameOf(file.path) === last.name) events.pop();
      }
      return;
    }
    const fd = Number(/^(\d+)</.exec(args)?.[1]);
    const opened = files.get(fd);
    const pathsOf = (): string[] => stringsOf(args).map((bytes) => bytes.toString());
    switch (name) {
      case 'openat': {
        const [path] = pathsOf();
        files.set(result, { path: path!, position: 0, isDurable: /O_D?SYNC/.test(args) });
        const relative = nameOf(path!);
        if (relative === null || !/O_CREAT/.test(args)) return;
        if (!known.has(relative)) events.push({ kind: 'create', name: relative });
        else if (/O_TRUNC/.test(args)) events.push({ kind: 'truncate', name: relative, size: 0 });
        known.add(relative);
        return;
      }
      case 'close':
        files.delete(fd);
        return;
      case 'dup':
        if (opened !== undefined) files.set(result, opened);
        return;
      case 'lseek':
        if (opened !== undefined) opened.position = result;
        return;
      case 'mkdir':
      case 'mkdirat':
        if (pathsOf()[0] === paths.folder) events.push({ kind: 'make-folder' });
        return;
      case 'fsync':
      case 'fdatasync': {
        if (opened === undefined) return;
        if (opened.path === paths.folder) events.push({ kind: 'sync-folder' });
        if (opened.path === dirname(paths.folder)) events.push({ kind: 'sync-parent' });
        const relative = nameOf(opened.path);
        if (relative !== null)
          events.push({ kind: name === 'fsync' ? 'sync' : 'sync-content', name: relative });
        return;
      }
      case 'ftruncate': {
        const relative = opened === undefined ? null : nameOf(opened.path);
        if (relative !== null)
          events.push({ kind: 'truncate', name: relative, size: Number(/, (\d+)$/.exec(args)![1]) });
        return;
      }
      case 'rename':
      case 'renameat':
      case 'renameat2':
      case 'link':
      case 'linkat': {
        const [from, to] = pathsOf().map(nameOf);
        if (from === null || from === undefined || to === null || to === undefined) return;
        events.push({ kind: name.startsWith('link') ? 'link' : 'rename', from, to });
        known.add(to);
        if (name.startsWith('rename')) known.delete(from);
        return;
      }
      case 'unlink':
      case 'unlinkat': {
        const relative = nameOf(pathsOf()[0]!);
        if (relative === null || !known.has(relative)) return;
        events.push({ kind: 'unlink', name: relative });
        known.delete(relative);
        return;
      }
      case 'fallocate':
      case 'sync_file_range':
        if (opened !== undefined && nameOf(opened.path) !== null)
          throw new Error(`a recording with ${name} cannot be judged yet`);
        return;
      default:
        return;
    }
  };

  for (const line of text.split('\n')) {
    const whole = /^(\d+) +(\w+)\((.*)\) += (-?\d+)/s.exec(line);
    const first = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/s.exec(line);
    const rest = /^(\d+) +<\.\.\. (\w+) resumed>.* = (-?\d+)/s.exec(line);
    if (first !== null) {
      const call = { thread: first[1]!, name: first[2]!, text: first[3]! };
      begun.set(call.thread, call);
      start(call);
    } else if (rest !== null) {
      const call = begun.get(rest[1]!);
      begun.delete(rest[1]!);
      if (call !== undefined) finish(call, Number(rest[3]));
    } else if (whole !== null) {
      const call = { thread: whole[1]!, name: whole[2]!, text: whole[3]! };
      start(call);
      finish(call, Number(whole[4]));
    }
  }
  return events;
}

function pushMark(events: DiskEvent[], line: string): void {
  const found = /^(begin|acknowledged|refused) (\d+)/.exec(line);
  if (found === null) return;
  events.push({ kind: found[1] as 'begin' | 'acknowledged' | 'refused', operation: Number(found[2]) });
}

function afterFile(args: string): string {
  return args.slice(args.indexOf('>') + 1);
}

/** The strings of a call, which strace -xx prints as `"\x2f\x74…"`. */
function stringsOf(args: string): Buffer[] {
  return [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex]) =>
    Buffer.from(hex!.replaceAll('\\x', ''), 'hex'),
  );
}
