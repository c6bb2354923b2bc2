import type { ReadingOptions, Recorded } from '../recorded-source.ts';

/** What a source of events holds at one place: what a reader finds, or things that runlog keeps no events of. */
export type SourceItem =
  | Exclude<Recorded, { readonly restarted: true }>
  /** Pictures or histograms, for example. They are counted, and are no fault. */
  | { readonly place: string; readonly leftOut: { readonly what: string; readonly count: number } }
  /** As `Recorded` has it. `movedTo` is where the former contents are now; null if nobody knows. */
  | (Extract<Recorded, { readonly restarted: true }> & { readonly movedTo: string | null });

export type SourceEvent = Readonly<Record<string, unknown>>;

export interface ReadOptions extends ReadingOptions {
  /**
   * Is true where the source may still be written: what is cut at its end is left for the next read. Otherwise that is a
   * fault.
   */
  readonly growing: boolean;
}

/**
 * A file or folder that is read again and again. Each read gives what has come since the one before, and everything from the
 * beginning if the file was replaced or rewritten. The same bytes give the same events in any process, with the same ids.
 */
export interface Source {
  readonly path: string;
  read(options: ReadOptions): AsyncGenerator<SourceItem>;
  /** Finds where the contents are now that were read. Only files that may be rotated say so, here and in what they give. */
  readonly formerPath?: () => Promise<string | null>;
  /** Makes the next read one from the beginning. A source that cannot must be opened anew. */
  readonly beginAgain?: () => void;
}

/** Is said of a source whose end is cut, where nothing else says that it may still be written. */
export const CUT_MESSAGE =
  'the last record is cut; if it is still being written, import the file again later, or with --follow';

export function restarted(movedTo: string | null): SourceItem {
  return { place: 'start', restarted: true, movedTo };
}

export function faultAt(place: string, message: string): SourceItem {
  return { place, fault: { code: 'schema', path: '', message } };
}
