import { type ReadonlySignal, signal } from '@preact/signals';
import { COMPARED_RUNS_MAX, compareAddress } from '../shell/address.ts';
import { goTo, route, setOptions } from '../shell/route.ts';

/** The runs that are marked for a comparison. They stand in the address. */
export interface FleetMarks {
  /** What the last key could not do; null: nothing. */
  readonly note: ReadonlySignal<string | null>;
  toggle(key: string): void;
  clear(): void;
  compare(): void;
}

export const markedIn = (): readonly string[] => (route.value.view === 'fleet' ? route.value.marked : []);

export function createFleetMarks(): FleetMarks {
  const note = signal<string | null>(null);
  const marked = () => {
    const address = route.peek();
    return address.view === 'fleet' ? address.marked : [];
  };
  return {
    note,
    toggle(key) {
      const held = marked();
      const isMarked = held.includes(key);
      const isFull = !isMarked && held.length >= COMPARED_RUNS_MAX;
      note.value = isFull ? `At most ${COMPARED_RUNS_MAX} runs can be marked.` : null;
      if (isFull) return;
      setOptions('fleet', { marked: isMarked ? held.filter((each) => each !== key) : [...held, key] });
    },
    clear() {
      note.value = null;
      setOptions('fleet', { marked: [] });
    },
    compare() {
      const held = marked();
      note.value = held.length === 0 ? 'No run is marked: x marks one.' : null;
      if (held.length > 0) goTo(compareAddress(held));
    },
  };
}
