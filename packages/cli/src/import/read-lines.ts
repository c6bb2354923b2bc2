export interface FileLine {
  /** Counts from 1, as editors do. */
  readonly number: number;
  /** The line without its line end. */
  readonly bytes: Buffer;
  /** Is true if the line is longer than the bound; then `bytes` is its beginning. */
  readonly cut: boolean;
  /** Is true if the file ends here without a line end: it may still be being written. */
  readonly unterminated: boolean;
}

/** Splits a byte stream into lines. Bytes beyond the bound are dropped as they are read, up to the next line end. */
export async function* splitLines(
  chunks: AsyncIterable<Buffer>,
  lineBytesMax: number,
): AsyncGenerator<FileLine> {
  let number = 0;
  let parts: Buffer[] = [];
  let partBytes = 0;
  let cut = false;
  const keep = (part: Buffer) => {
    const room = lineBytesMax - partBytes;
    if (part.length > room) cut = true;
    const kept = part.length > room ? part.subarray(0, room) : part;
    if (kept.length === 0) return;
    parts.push(kept);
    partBytes += kept.length;
  };
  const take = (unterminated: boolean): FileLine => {
    number += 1;
    const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    const line = { number, bytes: withoutReturn(whole), cut, unterminated };
    parts = [];
    partBytes = 0;
    cut = false;
    return line;
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, from)) {
      keep(chunk.subarray(from, end));
      yield take(false);
      from = end + 1;
    }
    keep(chunk.subarray(from));
  }
  if (partBytes > 0) yield take(true);
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
}
