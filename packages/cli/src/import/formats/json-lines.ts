import { insertFields } from '@runlog/records/insert-fields';
import { EVENT_BYTES_MAX } from '@runlog/schema/limits';
import { readObject } from '../judge-line.ts';
import { GrowingLines } from './growing-lines.ts';
import { type ReadOptions, restarted, type Source, type SourceItem } from './source.ts';

/** Reads a file of one event a line while it grows. Lines that name no run are of this one. */
export function jsonLinesSource(path: string, runId: string): Source {
  const lines = new GrowingLines(path, EVENT_BYTES_MAX);

  async function* read(options: ReadOptions): AsyncGenerator<SourceItem> {
    for await (const line of lines.read(options)) {
      if (line.kind === 'restarted') {
        yield restarted(line.movedTo);
        continue;
      }
      const place = String(line.number);
      const bytes = line.number === 1 ? withoutByteOrderMark(line.bytes) : line.bytes;
      if (line.isCut) {
        const message = `an event may have at most ${EVENT_BYTES_MAX} bytes`;
        yield { place, fault: { code: 'event_too_large', path: '', message } };
      } else if (bytes.toString('latin1').trim() !== '') {
        yield { place, line: withRun(bytes, runId), isLast: line.isUnterminated };
      }
    }
  }

  return { path, read, formerPath: () => lines.formerPath(), beginAgain: () => lines.beginAgain() };
}

function withRun(line: Buffer, runId: string): Buffer {
  const event = readObject(line);
  if (event === null || (event.run_id ?? null) !== null || Object.keys(event).length === 0) return line;
  return insertFields(line, [{ name: 'run_id', json: JSON.stringify(runId), replaces: 'run_id' in event }]);
}

function withoutByteOrderMark(line: Buffer): Buffer {
  return line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf ? line.subarray(3) : line;
}
