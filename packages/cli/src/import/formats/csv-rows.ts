/** A longer row is broken: a quote that was never closed takes everything after it for its cell. */
export const ROW_CHARS_MAX = 256 * 1024;

export type CsvRow =
  | { readonly kind: 'row'; readonly line: number; readonly cells: readonly string[] }
  | { readonly kind: 'broken'; readonly line: number; readonly message: string };

/**
 * Takes the text of a CSV file apart, in pieces of any size, with LF or CR LF. A cell in quotes may hold line ends
 * and, doubled, quotes. If a row has no end, its first line is broken and the next line begins a row.
 */
export class CsvRows {
  readonly #delimiter: string;
  #text = '';
  #line = 1;
  #isSkipping = false;

  constructor(delimiter: string, firstLine = 1) {
    this.#delimiter = delimiter;
    this.#line = firstLine;
  }

  *push(text: string): Generator<CsvRow> {
    this.#text += text;
    yield* this.#rows(false);
  }

  /** Takes what is there as the end of the file. */
  *end(): Generator<CsvRow> {
    yield* this.#rows(true);
  }

  *#rows(isEnd: boolean): Generator<CsvRow> {
    let from = 0;
    for (;;) {
      const newline = this.#text.indexOf('\n', from);
      if (this.#isSkipping) {
        if (newline === -1) {
          from = this.#text.length;
          break;
        }
        this.#isSkipping = false;
        this.#line += 1;
        from = newline + 1;
        continue;
      }
      if (newline === -1 && !(isEnd && from < this.#text.length)) {
        if (this.#text.length - from <= ROW_CHARS_MAX) break;
        yield this.#tooLong();
        this.#isSkipping = true;
        continue;
      }
      const lineEnd = newline === -1 ? this.#text.length : newline;
      const row = this.#rowAt(from, { lineEnd, isEnd });
      if (row !== null) {
        if (row.cells.length > 1 || row.cells[0] !== '') {
          yield { kind: 'row', line: this.#line, cells: row.cells };
        }
        this.#line += row.lines;
        from = row.end;
        continue;
      }
      // The row has an open quote.
      if (!isEnd && this.#text.length - from <= ROW_CHARS_MAX) break;
      yield { kind: 'broken', line: this.#line, message: 'a quote is not closed; the line was not read' };
      this.#line += 1;
      from = Math.min(lineEnd + 1, this.#text.length);
    }
    this.#text = this.#text.slice(from);
  }

  #tooLong(): CsvRow {
    return { kind: 'broken', line: this.#line, message: `a row has more than ${ROW_CHARS_MAX} characters` };
  }

  /** Returns null if the row has no end yet. */
  #rowAt(from: number, { lineEnd, isEnd }: { lineEnd: number; isEnd: boolean }): FoundRow | null {
    const line = this.#text.slice(from, lineEnd);
    if (!line.includes('"')) {
      const cells = (line.endsWith('\r') ? line.slice(0, -1) : line).split(this.#delimiter);
      return { cells, end: Math.min(lineEnd + 1, this.#text.length), lines: 1 };
    }
    const row = quotedRow(this.#text, from, this.#delimiter);
    // What comes next may be the second of two quotes.
    return row !== null && !row.isTerminated && !isEnd ? null : row;
  }
}

interface FoundRow {
  readonly cells: string[];
  readonly end: number;
  readonly lines: number;
}

function quotedRow(
  text: string,
  from: number,
  delimiter: string,
): (FoundRow & { isTerminated: boolean }) | null {
  const cells: string[] = [];
  let lines = 1;
  let at = from;
  for (;;) {
    let cell = '';
    if (text[at] === '"') {
      at += 1;
      for (;;) {
        const quote = text.indexOf('"', at);
        if (quote === -1 || quote - from > ROW_CHARS_MAX) return null;
        cell += text.slice(at, quote);
        at = quote + 1;
        if (text[at] !== '"') break;
        cell += '"';
        at += 1;
      }
      for (const letter of cell) if (letter === '\n') lines += 1;
    }
    // What stands behind a closing quote belongs to the cell, as most readers take it.
    const end = cellEnd(text, at, delimiter);
    const rest = text.slice(at, end);
    const isLast = end >= text.length || text[end] === '\n';
    cells.push(cell + (isLast && rest.endsWith('\r') ? rest.slice(0, -1) : rest));
    if (isLast) {
      return { cells, end: Math.min(end + 1, text.length), lines, isTerminated: end < text.length };
    }
    at = end + 1;
  }
}

function cellEnd(text: string, from: number, delimiter: string): number {
  for (let at = from; at < text.length; at += 1) if (text[at] === delimiter || text[at] === '\n') return at;
  return text.length;
}
