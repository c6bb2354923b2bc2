import { type ReadonlySignal, signal } from '@preact/signals';

/** How often the server is asked for its time. A reconnect asks too. */
const MEASURE_EVERY_MS = 60_000;
/** `Date` in an answer has no fraction of a second. */
const DATE_HEADER_GRAIN_MS = 1_000;

/** Of when the answer of a request says what time it is at the server. */
export interface ClockSample {
  /** By this page's monotonic clock. */
  readonly sentMs: number;
  readonly answeredMs: number;
  /** The time that the server gave, and how far the true one may lie after it. */
  readonly serverMs: number;
  readonly grainMs: number;
}

/** The server's time minus that of the monotonic clock: somewhere between both. */
export interface ClockOffset {
  readonly leastMs: number;
  readonly mostMs: number;
}

/** The request was sent before the server gave its time, and the answer came after it. */
export function offsetOf({ sentMs, answeredMs, serverMs, grainMs }: ClockSample): ClockOffset {
  return { leastMs: serverMs - answeredMs, mostMs: serverMs + grainMs - sentMs };
}

/**
 * Joins what was known with a new measurement. If both can be true, both are, so the bounds only get closer. If not, one of
 * the clocks jumped (a computer that slept, for example), and the new one counts.
 */
export function joinedOffset(held: ClockOffset | null, measured: ClockOffset): ClockOffset {
  if (held === null) return measured;
  const leastMs = Math.max(held.leastMs, measured.leastMs);
  const mostMs = Math.min(held.mostMs, measured.mostMs);
  return leastMs <= mostMs ? { leastMs, mostMs } : measured;
}

/** The time at the server, which all ages are measured by. The clock of whoever looks at the page decides nothing. */
export interface ServerClock {
  /** Milliseconds since 1970 at the server, to the moment; null until the server has said what time it is. */
  at(): number | null;
  /** The same, once a second, for what is drawn. */
  readonly now: ReadonlySignal<number | null>;
  /** Takes the time from an answer of `GET v1/hello`, or from the `Date` of any answer. */
  learn(sample: ClockSample): void;
  [Symbol.dispose](): void;
}

export interface ServerClockOptions {
  /** A monotonic clock in milliseconds: `performance.now()`. */
  readonly monotonicMs: () => number;
  /** Asks the server for its time, which `learn` is then told; when the clock starts and each minute. */
  readonly measure: () => void;
}

/** Makes a clock, which runs until it is disposed of. */
export function createServerClock({ monotonicMs, measure }: ServerClockOptions): ServerClock {
  let offset: ClockOffset | null = null;
  const now = signal<number | null>(null);
  const at = () => (offset === null ? null : monotonicMs() + (offset.leastMs + offset.mostMs) / 2);
  const ticks = setInterval(() => {
    now.value = at();
  }, 1_000);
  const measurements = setInterval(measure, MEASURE_EVERY_MS);
  return {
    at,
    now,
    learn(sample) {
      offset = joinedOffset(offset, offsetOf(sample));
      now.value = at();
    },
    [Symbol.dispose]() {
      clearInterval(ticks);
      clearInterval(measurements);
    },
  };
}

/** Reads the server's time out of an answer: `now` of `GET v1/hello`, else its `Date`. Null if it has neither. */
export function serverTimeIn(answer: {
  readonly now: unknown;
  readonly date: string | null;
}): Pick<ClockSample, 'serverMs' | 'grainMs'> | null {
  const exactMs = typeof answer.now === 'string' ? Date.parse(answer.now) : Number.NaN;
  if (!Number.isNaN(exactMs)) return { serverMs: exactMs, grainMs: 1 };
  const dateMs = Date.parse(answer.date ?? '');
  return Number.isNaN(dateMs) ? null : { serverMs: dateMs, grainMs: DATE_HEADER_GRAIN_MS };
}
