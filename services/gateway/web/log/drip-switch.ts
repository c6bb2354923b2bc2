import { computed, signal } from '@preact/signals';
import type { DripFeed, DripFeedOptions } from './drip-feed.ts';

/** A drip that is loaded when it is first switched on. Until then everything is shown at once. */
export function createDripSwitch(options: DripFeedOptions): DripFeed {
  const feed = signal<DripFeed | null>(null);
  let isDisposed = false;
  return {
    state: computed(() => feed.value?.state.value ?? { kind: 'off' }),
    async toggle() {
      const loaded = feed.peek() === null ? await import('./drip-feed.ts').catch(() => null) : null;
      if (loaded !== null && !isDisposed) feed.value ??= loaded.createDripFeed(options);
      feed.peek()?.toggle();
    },
    push: (entries) => feed.peek()?.push(entries) ?? entries,
    clear: () => feed.peek()?.clear(),
    [Symbol.dispose]() {
      isDisposed = true;
      feed.peek()?.[Symbol.dispose]();
    },
  };
}
