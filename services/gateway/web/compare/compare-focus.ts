import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';

/** Which run of a comparison is looked at. Charts, legend and table share it. */
export interface CompareFocus {
  /** The run under the pointer, else the one that the keys have chosen. */
  readonly highlighted: ReadonlySignal<string | null>;
  /** The run that the pointer is at. */
  readonly pointed: Signal<string | null>;
  /** The run that keys and clicks have chosen. */
  readonly selected: Signal<string | null>;
  /** Where on the axis the pointer is. */
  readonly x: Signal<number | null>;
}

export function createCompareFocus(): CompareFocus {
  const pointed = signal<string | null>(null);
  const selected = signal<string | null>(null);
  return {
    ...{ pointed, selected, x: signal<number | null>(null) },
    highlighted: computed(() => pointed.value ?? selected.value),
  };
}
