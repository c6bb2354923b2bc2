import { effect, type ReadonlySignal, signal, untracked } from '@preact/signals';

/**
 * Returns a signal that follows another one, but changes at most once in so many milliseconds. The newest value always comes
 * through. A change that is urgent does not wait. The function ends it.
 */
export function atMostEach<Value>(
  source: ReadonlySignal<Value>,
  everyMs: number,
  isUrgent: (held: Value, next: Value) => boolean = () => false,
): { readonly value: ReadonlySignal<Value>; end(): void } {
  const value = signal(untracked(() => source.value));
  let timer: ReturnType<typeof setTimeout> | null = null;
  const settle = () => {
    timer = null;
    const next = untracked(() => source.value);
    if (next === value.peek()) return;
    value.value = next;
    timer = setTimeout(settle, everyMs);
  };
  const unfollow = effect(() => {
    const next = source.value;
    if (timer !== null && isUrgent(value.peek(), next)) clearTimeout(timer);
    else if (timer !== null) return;
    settle();
  });
  return {
    value,
    end() {
      unfollow();
      if (timer !== null) clearTimeout(timer);
    },
  };
}
