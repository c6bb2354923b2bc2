import { useLayoutEffect, useMemo } from 'preact/hooks';
import { connection } from '../shell/connection.ts';
import { behind, shownRun } from '../shell/top-bar-facts.ts';
import { type FollowedRun, followRun } from './followed-run.ts';

/** Follows a run for as long as the component is in the page, and has the top bar know it and how far behind it is. */
export function useFollowedRun(key: string): FollowedRun {
  const run = useMemo(() => followRun(key, { connection: connection() }), [key]);
  // Not after the next frame: a view that is left before it would never let go of the run.
  useLayoutEffect(() => {
    shownRun.value = run;
    const unwatch = run.behindMs.subscribe((ms) => {
      behind.value = ms;
    });
    return () => {
      unwatch();
      behind.value = null;
      shownRun.value = null;
      run[Symbol.dispose]();
    };
  }, [run]);
  return run;
}
