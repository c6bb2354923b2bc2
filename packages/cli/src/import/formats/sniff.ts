import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { plainName, recognisedColumns } from './csv-columns.ts';
import { dialectOfHeader } from './csv-dialect.ts';
import { isEventFile } from './tensorboard.ts';
import { maskedChecksum } from './tf-records.ts';
import { WANDB_MAGIC } from './wandb-log.ts';

/** `sqlite` is a database, MLflow's for example, which is not read. */
export type FileFormat = 'events' | 'tensorboard' | 'wandb' | 'csv' | 'sqlite';

export interface Sniffed {
  readonly format: FileFormat;
  /** Is true if the contents say so too: a folder also holds files of others by such names. */
  readonly isSure: boolean;
}

const HEAD_BYTES = 64 * 1024;
const SQLITE_MAGIC = Buffer.from('SQLite format 3\0');

/** Says what a file is, by its first bytes and else by its name. Anything else counts as events in JSON. */
export async function sniffFile(path: string): Promise<Sniffed> {
  const head = await headOf(path);
  const name = basename(path).toLowerCase();
  if (head.subarray(0, SQLITE_MAGIC.length).equals(SQLITE_MAGIC)) return { format: 'sqlite', isSure: true };
  if (head.subarray(0, WANDB_MAGIC.length).equals(WANDB_MAGIC)) return { format: 'wandb', isSure: true };
  if (name.endsWith('.wandb')) return { format: 'wandb', isSure: false };
  if (isEventFile(name) || beginsLikeRecord(head)) {
    return { format: 'tensorboard', isSure: beginsLikeRecord(head) };
  }
  const line = firstLine(head);
  if (/\.(?:csv|tsv)$/.test(name)) return { format: 'csv', isSure: line !== null && hasKnownColumn(line) };
  return { format: 'events', isSure: /\.(?:jsonl|ndjson|json)$/.test(name) && holdsEvents(head) };
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await file.read(buffer, 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** A TFRecord begins with a length and its checksum, which nothing else does by chance. */
function beginsLikeRecord(head: Buffer): boolean {
  return head.length >= 12 && maskedChecksum(head.subarray(0, 8)) === head.readUInt32LE(8);
}

/** Returns null while the first line has no end. */
function firstLine(head: Buffer): string | null {
  const text = head.toString('utf8').replace(/^\uFEFF/, '');
  const line = /^(?:#[^\n]*\n|[ \t\r]*\n)*([^\n]+)\n/.exec(text)?.[1];
  return line === undefined ? null : line.trim();
}

function hasKnownColumn(header: string): boolean {
  const cells = header.split(dialectOfHeader(header).delimiter);
  return cells.some((cell) => recognisedColumns.has(plainName(cell.replaceAll('"', ''))));
}

/** The first line may be cut, and the events may be in an array or in UTF-16. */
function holdsEvents(head: Buffer): boolean {
  const isUtf16 = head[0] === 0xff && head[1] === 0xfe;
  const isSwapped = head[0] === 0xfe && head[1] === 0xff;
  const even = head.subarray(0, head.length - (head.length % 2));
  const text = isSwapped
    ? Buffer.from(even).swap16().toString('utf16le')
    : head.toString(isUtf16 ? 'utf16le' : 'utf8');
  return /"event_type"\s*:\s*"/.test(text);
}
