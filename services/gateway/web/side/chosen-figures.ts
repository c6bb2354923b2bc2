import type { KeyStore } from '../shell/view-key.ts';
import { CHARTS_MAX } from './chart-model.ts';

const STORED_AS = 'runlog.figures';

/** The figures that somebody chose in this tab, for every run; null if nobody did, or nothing can be kept. */
export function storedFigures(store: KeyStore | null): readonly string[] | null {
  try {
    const held: unknown = JSON.parse(store?.getItem(STORED_AS) ?? 'null');
    if (!Array.isArray(held)) return null;
    return held.filter((name) => typeof name === 'string').slice(0, CHARTS_MAX);
  } catch {
    return null;
  }
}

/** Keeps the choice for as long as the tab is open; null forgets it. */
export function storeFigures(store: KeyStore | null, names: readonly string[] | null): void {
  try {
    if (names === null) store?.removeItem(STORED_AS);
    else store?.setItem(STORED_AS, JSON.stringify(names));
  } catch {
    // Without room the choice holds until the view is left.
  }
}
