import { effect } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { connection } from '../shell/connection.ts';
import { route } from '../shell/route.ts';
import { type ComparedRun, createComparison } from './comparison.ts';

/**
 * Follows the runs of the address for as long as the component is in the page. It lets go of them as soon as the address
 * names another view, before that is drawn: a client follows a run in one way at a time.
 */
export function useComparison(): { readonly runs: readonly ComparedRun[] } {
  const comparison = useMemo(() => createComparison({ connection: connection() }), []);
  useEffect(() => {
    let compared = '';
    const stop = effect(() => {
      const address = route.value;
      const keys = address.view === 'compare' ? address.runs : [];
      if (compared === keys.join()) return;
      compared = keys.join();
      comparison.compare(keys);
    });
    return () => {
      stop();
      comparison[Symbol.dispose]();
    };
  }, [comparison]);
  return { runs: comparison.runs.value };
}
