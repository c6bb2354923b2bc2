import { EVENT_BYTES_MAX } from '@runlog/schema/limits';
import { GrowingLines } from './growing-lines.ts';
import { RESTARTED, type ReadOptions, type Source, type SourceItem } from './source.ts';

/** Reads a file of one event a line while it grows. */
export function jsonLinesSource(path: string): Source {
  const lines = new GrowingLines(path, EVENT_BYTES_MAX);

  async function* read(options: ReadOptions): AsyncGenerator<SourceItem> {
    for await (const line of lines.read(options)) {
      if (line.kind === 'restarted') {
        yield RESTARTED;
        continue;
      }
      const place = String(line.number);
      const bytes = line.number === 1 ? withoutByteOrderMark(line.bytes) : line.bytes;
      if (line.isCut) {
        const message = `an event may have at most ${EVENT_BYTES_MAX} bytes`;
        yield { place, fault: { code: 'event_too_large', path: '', message } };
      } else if (bytes.toString('latin1').trim() !== '') {
        yield { place, line: bytes, isLast: line.isUnterminated };
      }
    }
  }

  return { path, read };
}

function withoutByteOrderMark(line: Buffer): Buffer {
  return line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf ? line.subarray(3) : line;
}
