import { useComputed } from '@preact/signals';
import { counted, countText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import { connection } from './connection.ts';
import { useRunProof } from './run-proof.ts';
import { shownRun } from './top-bar-facts.ts';

/** Says how many connections show this run at this gateway. */
export function Watching({ runKey }: { runKey: string }) {
  // Nobody can say who watches a run that is not there: each question would be refused.
  const isThere = useComputed(() => (shownRun.value?.snapshot.value ?? null) !== null).value;
  return isThere ? <Watchers runKey={runKey} /> : null;
}

function Watchers({ runKey }: { runKey: string }) {
  const proof = useRunProof(runKey).proof.value;
  if (proof === null || connection().link.value.state !== 'open') return null;
  const { connections, keys } = proof.watching;
  // This page watches too, even if it was not counted when it asked.
  if (connections === 0) return null;
  const by = keys.length === 0 ? '' : `, with the keys ${keys.map(visibleText).join(', ')}`;
  return (
    <span class="dim top-bar-watching" title={`${counted(connections, 'connection')} to this gateway${by}`}>
      {countText(connections)} watching
    </span>
  );
}
