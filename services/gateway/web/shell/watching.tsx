import { useSignal } from '@preact/signals';
import type { RunProof } from '@runlog/schema/http/proof-api';
import { useEffect } from 'preact/hooks';
import { counted, countText } from '../text/numbers.ts';
import { connection } from './connection.ts';

/** How often the server is asked who watches. */
const ASK_EVERY_MS = 15_000;

/** Says how many connections show this run at this gateway. */
export function Watching({ runKey }: { runKey: string }) {
  const watching = useSignal<RunProof['watching'] | null>(null);
  const { state } = connection().link.value;
  useEffect(() => {
    const stop = new AbortController();
    const ask = async () => {
      const path = `v1/runs/${runKey}/proof`;
      const answer = await connection().ask<RunProof>(path, { signal: stop.signal });
      if (!stop.signal.aborted) watching.value = answer.kind === 'ok' ? answer.body.watching : null;
    };
    watching.value = null;
    if (state === 'open') void ask();
    const timer = setInterval(ask, ASK_EVERY_MS);
    return () => {
      stop.abort();
      clearInterval(timer);
    };
  }, [runKey, state, watching]);
  if (watching.value === null) return null;
  const { connections, keys } = watching.value;
  const by = keys.length === 0 ? '' : `, with the keys ${keys.join(', ')}`;
  return (
    <span class="dim top-bar-watching" title={`${counted(connections, 'connection')} to this gateway${by}`}>
      {countText(connections)} watching
    </span>
  );
}
