import { useComputed } from '@preact/signals';
import type { RunProof } from '@runlog/schema/http/proof-api';
import { useEffect } from 'preact/hooks';
import { counted, countText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import { connection } from './connection.ts';
import { runProof, shownRun } from './top-bar-facts.ts';

/** How often the server is asked who watches. */
const ASK_EVERY_MS = 15_000;

/** Says how many connections show this run at this gateway. */
export function Watching({ runKey }: { runKey: string }) {
  const { state } = connection().link.value;
  // Nobody can say who watches a run that is not there: each question would be refused.
  const isThere = useComputed(() => (shownRun.value?.snapshot.value ?? null) !== null).value;
  const canAsk = state === 'open' && isThere;
  useEffect(() => {
    runProof.value = null;
    if (!canAsk) return;
    const stop = new AbortController();
    const ask = async () => {
      const path = `v1/runs/${runKey}/proof`;
      const answer = await connection().ask<RunProof>(path, { signal: stop.signal });
      if (!stop.signal.aborted) runProof.value = answer.kind === 'ok' ? answer.body : null;
    };
    void ask();
    const timer = setInterval(ask, ASK_EVERY_MS);
    return () => {
      stop.abort();
      clearInterval(timer);
      runProof.value = null;
    };
  }, [runKey, canAsk]);
  if (runProof.value === null) return null;
  const { connections, keys } = runProof.value.watching;
  const by = keys.length === 0 ? '' : `, with the keys ${keys.map(visibleText).join(', ')}`;
  return (
    <span class="dim top-bar-watching" title={`${counted(connections, 'connection')} to this gateway${by}`}>
      {countText(connections)} watching
    </span>
  );
}
