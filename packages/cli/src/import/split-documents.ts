import type { LineFault } from './judge-line.ts';
import type { Recorded } from './recorded-source.ts';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const BRACKET_OPEN = 0x5b;
const BRACKET_CLOSE = 0x5d;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;

/**
 * Finds the objects of JSON that does not keep to lines: of arrays, and of objects that go over several lines. An object's
 * place is the line that it begins on. Its bytes are kept, but for line ends between its tokens, which become spaces. What
 * stands between the objects and is not JSON's is a fault, once in a row.
 */
export async function* splitDocuments(
  chunks: AsyncIterable<Buffer>,
  eventBytesMax: number,
): AsyncGenerator<Recorded> {
  const splitter = new DocumentSplitter(eventBytesMax);
  for await (const chunk of chunks) yield* splitter.take(chunk);
  yield* splitter.end();
}

class DocumentSplitter {
  readonly #eventBytesMax: number;
  #line = 1;
  /** Whether an array is open around the objects. */
  #inArray = false;
  /** Open brackets of the present object; 0 between objects. */
  #depth = 0;
  #inString = false;
  #escaped = false;
  #parts: Buffer[] = [];
  #bytes = 0;
  #beganAt = 1;
  /** Whether what stands here between objects has been named already. */
  #isNamed = false;

  constructor(eventBytesMax: number) {
    this.#eventBytesMax = eventBytesMax;
  }

  *take(chunk: Buffer): Generator<Recorded> {
    let from = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at]!;
      if (byte === LINE_FEED) this.#line += 1;
      if (this.#depth === 0) {
        const fault = this.#between(byte);
        if (fault !== null) yield { place: String(this.#line), fault };
        if (byte !== BRACE_OPEN) continue;
        this.#depth = 1;
        this.#beganAt = this.#line;
        from = at;
      } else if (this.#inside(chunk, at)) {
        this.#keep(chunk.subarray(from, at + 1));
        yield this.#object();
      }
    }
    if (this.#depth > 0) this.#keep(chunk.subarray(from));
  }

  *end(): Generator<Recorded> {
    const place = String(this.#line);
    if (this.#depth > 0) {
      const message = `the file ends inside the object that begins on line ${this.#beganAt}: still being written?`;
      yield { place, fault: { code: 'invalid_json', path: '', message } };
    } else if (this.#inArray) {
      const message = 'the file ends inside its array: events may be missing';
      yield { place, fault: { code: 'invalid_json', path: '', message } };
    }
  }

  /** Takes a byte of an object, and says whether the object ends with it. */
  #inside(chunk: Buffer, at: number): boolean {
    const byte = chunk[at]!;
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) this.#inString = false;
      return false;
    }
    if (byte === QUOTE) this.#inString = true;
    else if (byte === LINE_FEED || byte === CARRIAGE_RETURN) chunk[at] = SPACE;
    else if (byte === BRACE_OPEN || byte === BRACKET_OPEN) this.#depth += 1;
    else if (byte === BRACE_CLOSE || byte === BRACKET_CLOSE) this.#depth -= 1;
    return this.#depth === 0;
  }

  /** Takes a byte between objects. Returns what is wrong with it, unless that has been said. */
  #between(byte: number): LineFault | null {
    if (byte === SPACE || byte === TAB || byte === LINE_FEED || byte === CARRIAGE_RETURN) return null;
    const wasArray = this.#inArray;
    if (byte === BRACKET_OPEN && !wasArray) this.#inArray = true;
    else if (byte === BRACKET_CLOSE && wasArray) this.#inArray = false;
    else if (byte !== BRACE_OPEN && !(byte === COMMA && wasArray)) {
      if (this.#isNamed) return null;
      this.#isNamed = true;
      const message = `something stands between the events that is no JSON object (at "${String.fromCharCode(byte)}")`;
      return { code: 'invalid_json', path: '', message };
    }
    this.#isNamed = false;
    return null;
  }

  #keep(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes <= this.#eventBytesMax) this.#parts.push(part);
  }

  #object(): Recorded {
    const place = String(this.#beganAt);
    const isTooLarge = this.#bytes > this.#eventBytesMax;
    const line = isTooLarge ? null : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    if (line !== null) return { place, line };
    const message = `an event may have at most ${this.#eventBytesMax} bytes`;
    return { place, fault: { code: 'event_too_large', path: '', message } };
  }
}
