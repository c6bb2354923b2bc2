import type { LineFault } from './judge-line.ts';

/** What a reader finds at one place of a recording. `source`: one of several recordings that are read together. */
export type Recorded = { readonly source?: string } & Found;

type Found =
  /** An event as an object. It may lack `event_id`, `run_id` and `emitter_id`; the import gives what is missing. */
  | { readonly place: string; readonly event: Readonly<Record<string, unknown>> }
  /** An event as the JSON that the file has. Its bytes are kept. `isLast`: the file ends there without a line end. */
  | { readonly place: string; readonly line: Buffer; readonly isLast?: boolean }
  /** What cannot be an event, or cannot be read. The reader may go on after it, or end. */
  | { readonly place: string; readonly fault: LineFault }
  /** Nothing more is there at this moment: what was read should be sent. Only sources that grow say so. */
  | { readonly place: string; readonly caughtUp: true }
  /** A source that grows was replaced, rewritten or removed: what it gives from now on, it may have given before. */
  | { readonly place: string; readonly restarted: true };

export interface ReadingOptions {
  readonly signal: AbortSignal;
  /** Is told how many bytes of the file, as it is on disk, have been read since it was told before. */
  readonly onBytes?: (bytes: number) => void;
}

/**
 * Reads a recording of any size, in order and within bounded memory. A place names where something stands in words that
 * follow the path and a colon, such as a line's number. What the file lacks or has broken is a fault; only faults of the
 * machine are thrown.
 */
export type RecordingReader = (path: string, options: ReadingOptions) => AsyncIterable<Recorded>;
