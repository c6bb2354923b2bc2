import type { Signal } from '@preact/signals';
import type { RunScreen } from '../run/run-screen.ts';

/** Explains a gap. `rowId` is that of its row; null while none is explained. */
export function GapDetails(_props: { screen: RunScreen; rowId: Signal<string | null> }) {
  return null;
}
