import { type KnownSource, wholeReader } from './formats/open-source.ts';
import { readJsonLines } from './read-json-lines.ts';
import type { RecordingReader } from './recorded-source.ts';

/** Returns the reader of a file's format. null: events in JSON, of which everything is an event. */
export function chooseReader(
  source: KnownSource | null,
  onLeftOut: (leftOut: { what: string; count: number }) => void,
): RecordingReader {
  return source === null ? readJsonLines : wholeReader(source, onLeftOut);
}
