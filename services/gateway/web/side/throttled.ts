import { useEffect, useRef, useState } from 'preact/hooks';

/**
 * Returns the value, or for so long after the last change an older one. The newest value always comes in the end. With another
 * `of` it is another thing, such as the state as of another event, and comes at once.
 */
export function useThrottled<Value>(value: Value, minMs: number, of: unknown = null): Value {
  const [shown, setShown] = useState({ value });
  const shownOf = useRef(of);
  if (shownOf.current !== of) {
    shownOf.current = of;
    shown.value = value;
  }
  const shownAt = useRef(Number.NEGATIVE_INFINITY);
  const latest = useRef(value);
  latest.current = value;
  const isBehind = shown.value !== value;
  useEffect(() => {
    if (!isBehind) return;
    const waitMs = shownAt.current + minMs - performance.now();
    const timer = setTimeout(
      () => {
        shownAt.current = performance.now();
        setShown({ value: latest.current });
      },
      Math.max(0, waitMs),
    );
    return () => clearTimeout(timer);
  }, [isBehind, minMs]);
  return shown.value;
}
