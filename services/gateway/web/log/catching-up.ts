import { effect, type ReadonlySignal, signal } from '@preact/signals';

/** What is read again sooner need not be told of. */
const TOLD_AFTER_MS = 1_000;

/** How many events the log waits for before it goes on; null where nobody counted them. */
export interface CatchingUp {
  readonly events: number | null;
}

export interface CatchUp extends Disposable {
  /** Null while nothing is left out, and for the first second. */
  readonly state: ReadonlySignal<CatchingUp | null>;
  /** So many new entries were handed over. */
  note(entries: number): void;
}

/** Tells that a log stands still because events that were left out are being read again. `total`: of the run. */
export function createCatchUp(isBehind: ReadonlySignal<boolean>, total: ReadonlySignal<number>): CatchUp {
  const state = signal<CatchingUp | null>(null);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isTold = false;
  /** How many events the run had when the log had all of them, and those that were handed over since. */
  let handed: number | null = null;
  const tell = () => {
    const events = handed === null ? null : Math.max(1, total.peek() - handed);
    if (state.peek() === null || state.peek()?.events !== events) state.value = { events };
  };
  const end = effect(() => {
    const now = total.value;
    if (isBehind.value) {
      timer ??= setTimeout(() => {
        isTold = true;
        tell();
      }, TOLD_AFTER_MS);
      if (isTold) tell();
      return;
    }
    clearTimeout(timer);
    timer = undefined;
    isTold = false;
    handed = now;
    state.value = null;
  });
  return {
    state,
    note(entries) {
      if (isBehind.peek() && handed !== null) handed += entries;
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      end();
    },
  };
}
