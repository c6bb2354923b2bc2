import { useEffect, useRef, useState } from 'preact/hooks';

/** Returns the value, or for so long after the last change an older one. The newest value always comes in the end. */
export function useThrottled<Value>(value: Value, minMs: number): Value {
  const [shown, setShown] = useState({ value });
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
