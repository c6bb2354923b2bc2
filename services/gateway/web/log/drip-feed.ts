import { type ReadonlySignal, signal } from '@preact/signals';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { DRIP_TICK_MS, Drip } from './drip.ts';

/** What the switch of the drip does now. `resting`: it is on, and must not hold anything at the moment. */
export type DripState =
  | { readonly kind: 'off' }
  | { readonly kind: 'resting'; readonly because: 'motion' | 'reading' | 'rate' }
  | { readonly kind: 'dripping'; readonly delayMs: number };

/** The drip between the stream and the rows, with its switch. */
export interface DripFeed extends Disposable {
  readonly state: ReadonlySignal<DripState>;
  toggle(): void;
  /** Takes entries that came, and returns those to show at once. The others are handed to `show` when it is time. */
  push(entries: readonly EventLogEntry[]): readonly EventLogEntry[];
  /** Forgets what waits, because the log begins anew. */
  clear(): void;
}

export interface DripFeedOptions {
  show(entries: readonly EventLogEntry[]): void;
  /** Whether the newest events are shown as they come: not while somebody reads, has paused or travels. */
  isFollowing(): boolean;
  /** Monotonic. */
  nowMs(): number;
  /** Whether nothing may move by itself. */
  isMotionReduced(): boolean;
}

/** Makes a drip that is off until it is switched on. It ticks only while it is on. */
export function createDripFeed({ show, isFollowing, nowMs, isMotionReduced }: DripFeedOptions): DripFeed {
  const state = signal<DripState>({ kind: 'off' });
  let drip = new Drip({ isOn: false });
  let timer: ReturnType<typeof setInterval> | undefined;

  const whyNot = (): 'motion' | 'reading' | null =>
    isMotionReduced() ? 'motion' : isFollowing() ? null : 'reading';
  /** Has the drip hold only where it may, and returns what it lets go because of that. */
  const settle = (): readonly EventLogEntry[] => (timer === undefined ? [] : drip.switch(whyNot() === null));
  const tell = (): void => {
    const because = whyNot() ?? (drip.isHolding(nowMs()) ? null : 'rate');
    const next: DripState =
      timer === undefined
        ? { kind: 'off' }
        : because === null
          ? { kind: 'dripping', delayMs: drip.delayMs(nowMs()) }
          : { kind: 'resting', because };
    if (JSON.stringify(next) !== JSON.stringify(state.peek())) state.value = next;
  };
  const tick = (): void => {
    const shown = [...settle(), ...drip.tick(nowMs())];
    if (shown.length > 0) show(shown);
    tell();
  };
  const stop = (): void => {
    clearInterval(timer);
    timer = undefined;
  };

  return {
    state,
    toggle() {
      if (timer === undefined) {
        timer = setInterval(tick, DRIP_TICK_MS);
        settle();
      } else {
        stop();
        const waiting = drip.switch(false);
        if (waiting.length > 0) show(waiting);
      }
      tell();
    },
    push: (entries) => [...settle(), ...drip.push(entries, nowMs())],
    clear() {
      drip = new Drip({ isOn: false });
      settle();
    },
    [Symbol.dispose]: stop,
  };
}
