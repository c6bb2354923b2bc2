import { EVENT_BYTES_MAX } from '@runlog/schema/limits';
import { BrokenFileError, readText } from './read-bytes.ts';
import { splitLines } from './read-lines.ts';
import type { ReadingOptions, Recorded } from './recorded-source.ts';
import { splitDocuments } from './split-documents.ts';

/** How much of a file is looked at to see whether its JSON keeps to lines. */
const LOOK_BYTES_MAX = 64 * 1024;

/**
 * Reads a file of JSON, also gzip and UTF-16: one object a line, as recordings are written, or an array, or objects that go
 * over several lines. Blank lines are nothing. A file that breaks off is read up to there.
 */
export async function* readJsonLines(path: string, options: ReadingOptions): AsyncGenerator<Recorded> {
  let place = '1';
  try {
    const { head, chunks } = await look(readText(path, options));
    const recorded = keepsToLines(head) ? eventsOfLines(chunks) : splitDocuments(chunks, EVENT_BYTES_MAX);
    for await (const one of recorded) {
      place = one.place;
      yield one;
    }
  } catch (error) {
    if (!(error instanceof BrokenFileError)) throw error;
    yield { place: `${place}…`, fault: { code: 'unreadable', path: '', message: error.message } };
  }
}

async function* eventsOfLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Recorded> {
  for await (const line of splitLines(chunks, EVENT_BYTES_MAX)) {
    const place = String(line.number);
    if (isBlank(line.bytes)) continue;
    if (line.cut) {
      const message = `an event may have at most ${EVENT_BYTES_MAX} bytes`;
      yield { place, fault: { code: 'event_too_large', path: '', message } };
    } else {
      yield { place, line: line.bytes, isLast: line.unterminated };
    }
  }
}

/** Takes what is needed to judge the shape of a file, and gives everything back. */
async function look(text: AsyncGenerator<Buffer>): Promise<{ head: Buffer; chunks: AsyncIterable<Buffer> }> {
  const taken: Buffer[] = [];
  let fault: unknown = null;
  let bytes = 0;
  try {
    while (bytes < LOOK_BYTES_MAX) {
      const next = await text.next();
      if (next.done === true) break;
      taken.push(next.value);
      bytes += next.value.length;
      // A file that is still being written, or a pipe, is not waited for when two lines are there.
      if (Buffer.concat(taken).toString('latin1').trimStart().split('\n').length > 2) break;
    }
  } catch (error) {
    fault = error;
  }
  const chunks = async function* () {
    try {
      yield* taken;
      if (fault !== null) throw fault;
      yield* text;
    } finally {
      await text.return(undefined);
    }
  };
  return { head: Buffer.concat(taken), chunks: chunks() };
}

/**
 * Says whether each line is an event of its own. It is so unless the file begins with an array of objects, or with an object
 * that is open at the end of its line and goes on in the next one.
 */
export function keepsToLines(head: Buffer): boolean {
  const text = head.toString('latin1').trimStart();
  if (/^\[\s*(?:\{|\])/.test(text) || text === '[') return false;
  const [first, ...rest] = text.split('\n');
  if (!text.startsWith('{') || rest.length === 0 || !isOpen(first!)) return true;
  // After a line that was cut off, the next one is an event of its own or anything else.
  return !/^\s*["}]/.test(rest.join('\n'));
}

/** Says whether brackets are open at the end of a text. */
function isOpen(text: string): boolean {
  const brackets = text.replace(/"(?:[^"\\]|\\.)*"/g, '');
  if (brackets.includes('"')) return false;
  return brackets.split(/[{[]/).length > brackets.split(/[}\]]/).length;
}

function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
