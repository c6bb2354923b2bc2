import { EVENT_BYTES_MAX } from '@runlog/schema/limits';
import { readLines } from './read-lines.ts';
import type { ReadingOptions, Recorded } from './recorded-source.ts';

/** Reads a file of one JSON object a line, also gzip. Blank lines are nothing. */
export async function* readJsonLines(path: string, options: ReadingOptions): AsyncGenerator<Recorded> {
  const lines = readLines(path, { ...options, lineBytesMax: EVENT_BYTES_MAX });
  for await (const line of lines) {
    const place = String(line.number);
    const bytes = line.number === 1 ? withoutByteOrderMark(line.bytes) : line.bytes;
    if (isBlank(bytes)) continue;
    if (line.cut) {
      const message = `an event may have at most ${EVENT_BYTES_MAX} bytes`;
      yield { place, fault: { code: 'event_too_large', path: '', message } };
    } else {
      yield { place, line: bytes, isLast: line.unterminated };
    }
  }
}

function withoutByteOrderMark(line: Buffer): Buffer {
  return line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf ? line.subarray(3) : line;
}

function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
