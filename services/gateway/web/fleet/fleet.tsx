import { useSignal } from '@preact/signals';
import type { IndexUpdate } from '@runlog/client/index-channel';
import { useEffect } from 'preact/hooks';
import { connection } from '../shell/connection.ts';
import { FirstSteps } from '../shell/first-steps.tsx';
import { useTitle } from '../shell/title.ts';
import { TopBar } from '../shell/top-bar.tsx';
import { runsTotal } from '../shell/top-bar-facts.ts';
import { ROWS_MAX, RunList } from './run-list.tsx';

/** Whoever types faster than this asks the server once. */
const SEARCH_PAUSE_MS = 150;

/** The table of runs. */
export function Fleet() {
  const typed = useSignal('');
  const asked = useSignal('');
  const found = useSignal<IndexUpdate | null>(null);
  useTitle();
  useEffect(() => {
    const timer = setTimeout(() => {
      asked.value = typed.value.trim();
    }, SEARCH_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed.value, asked, typed]);
  useEffect(() => {
    const q = asked.value;
    return connection().client.subscribeIndex(
      '*',
      (update) => {
        if (update.kind === 'refused') {
          connection().noteRefusal(update.code);
          return;
        }
        found.value = update;
        if (q === '') runsTotal.value = update.total;
      },
      { limit: ROWS_MAX, ...(q === '' ? {} : { q }) },
    );
  }, [asked.value, asked, found]);
  return (
    <>
      <TopBar />
      <main class="view fleet" tabIndex={-1}>
        {runsTotal.value === 0 ? <FirstSteps /> : <RunList found={found.value} search={typed} />}
      </main>
    </>
  );
}
