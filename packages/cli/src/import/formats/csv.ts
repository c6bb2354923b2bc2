import { stat } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import { type CsvColumns, csvColumns, isUnknown, rowEvent } from './csv-columns.ts';
import { type CsvDialect, cellNumber, dialectOfHeader } from './csv-dialect.ts';
import { type CsvRow, CsvRows, ROW_CHARS_MAX } from './csv-rows.ts';
import { GrowingFile } from './growing-file.ts';
import { faultAt, type ReadOptions, restarted, type Source, type SourceItem } from './source.ts';
import { idOf, timestampOfSeconds } from './source-event.ts';

interface Table {
  readonly rows: CsvRows;
  readonly dialect: CsvDialect;
  columns: CsvColumns | null;
  header: readonly string[];
  ordinal: number;
}

/**
 * Reads a CSV file with a header. A row without a time of its own has that of the file's birth. An id is made of the row's
 * number and its cells that say something, so a column that comes later changes no row that is imported already.
 */
export function csvSource(path: string, runId: string): Source {
  const file = new GrowingFile(path);
  let decoder = new StringDecoder('utf8');
  let beginning = '';
  let table: Table | null = null;
  let isUseless = false;
  let defaultTimestamp = '';

  function restart(): void {
    decoder = new StringDecoder('utf8');
    beginning = '';
    table = null;
    isUseless = false;
    defaultTimestamp = '';
  }

  async function* read({ growing, ...options }: ReadOptions): AsyncGenerator<SourceItem> {
    for await (const part of file.read(options)) {
      if (part.kind === 'restarted') {
        restart();
        yield restarted(part.movedTo);
      } else if (!isUseless) yield* items(decoder.write(part.bytes), false);
    }
    if (!growing && !isUseless) yield* items(decoder.end(), true);
  }

  async function* items(text: string, isEnd: boolean): AsyncGenerator<SourceItem> {
    let rest = text;
    if (table === null) {
      beginning += text;
      const found = findHeader(beginning, isEnd);
      if (found === 'not_yet') return;
      if (found === 'none') {
        isUseless = true;
        yield faultAt('1', 'has no header line of names, separated by commas, semicolons or tabs');
        return;
      }
      const dialect = dialectOfHeader(found.line);
      const rows = new CsvRows(dialect.delimiter, found.number);
      table = { rows, dialect, columns: null, header: [], ordinal: 0 };
      rest = beginning.slice(found.at);
      beginning = '';
    }
    if (defaultTimestamp === '') defaultTimestamp = await birthOf(path);
    for (const row of table.rows.push(rest)) yield* rowItems(row, table);
    if (isEnd) for (const row of table.rows.end()) yield* rowItems(row, table);
  }

  function* rowItems(row: CsvRow, into: Table): Generator<SourceItem> {
    const place = String(row.line);
    if (row.kind === 'broken') {
      yield faultAt(place, row.message);
      return;
    }
    if (isUseless) return;
    const { cells } = row;
    if (into.columns === null) {
      if (cells.every((cell) => cellNumber(cell.trim(), into.dialect) !== null)) {
        isUseless = true;
        yield faultAt(place, 'the first line must name the columns (it has only numbers)');
        return;
      }
      into.header = cells;
      into.columns = csvColumns(cells);
      return;
    }
    // A program that begins anew writes its header once more.
    if (cells.length === into.header.length && cells.every((cell, at) => cell === into.header[at])) return;
    into.ordinal += 1;
    if (cells.every((cell) => isUnknown(cell.trim()))) return;
    if (cells.length !== into.header.length) {
      yield faultAt(place, `has ${cells.length} cells, but the header has ${into.header.length}`);
      return;
    }
    const { columns, dialect } = into;
    const event = rowEvent(cells, { columns, dialect, runId, defaultTimestamp });
    if (typeof event === 'string') {
      yield faultAt(place, event);
      return;
    }
    const said = cells
      .flatMap((cell, at) => (isUnknown(cell.trim()) ? [] : [[columns.names[at]!, cell] as const]))
      .sort(([left], [right]) => (left < right ? -1 : 1));
    yield { place, event: { event_id: idOf('csv', into.ordinal, JSON.stringify(said)), ...event } };
  }

  return { path, read, formerPath: () => file.formerPath(), beginAgain: () => file.beginAgain() };
}

/** The first line that is neither blank nor a comment. */
function findHeader(
  text: string,
  isEnd: boolean,
): 'not_yet' | 'none' | { readonly at: number; readonly line: string; readonly number: number } {
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  for (let number = 1; at < text.length || isEnd; number += 1) {
    const newline = text.indexOf('\n', at);
    if (newline === -1 && !isEnd) break;
    const line = text.slice(at, newline === -1 ? text.length : newline);
    if (line.includes('\0')) return 'none';
    if (line.trim() !== '' && !line.startsWith('#')) return { at, line, number };
    if (newline === -1) return 'none';
    at = newline + 1;
  }
  return text.length > ROW_CHARS_MAX ? 'none' : 'not_yet';
}

/**
 * The earlier one of the file's birth and its last change: the first stays when the file grows, the second when it is copied.
 * It is no part of what an event is known by (event-identity.ts).
 */
async function birthOf(path: string): Promise<string> {
  const { birthtimeMs, mtimeMs } = await stat(path);
  const earlierMs = birthtimeMs > 0 ? Math.min(birthtimeMs, mtimeMs) : mtimeMs;
  return timestampOfSeconds(Math.max(0, Math.floor(earlierMs)) / 1_000) ?? timestampOfSeconds(0)!;
}
