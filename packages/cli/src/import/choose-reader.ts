import { readJsonLines } from './read-json-lines.ts';
import type { RecordingReader } from './recorded-source.ts';

/** Returns the reader of a file's format. */
export async function chooseReader(_path: string): Promise<RecordingReader> {
  return readJsonLines;
}
