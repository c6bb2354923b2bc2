import type { Signal } from '@preact/signals';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import { canBeFilled } from '../log/gap-rows.ts';
import type { FollowedRun } from '../run/followed-run.ts';
import type { Connection } from '../shell/connection.ts';
import { createSeedHistory, type SeedHistory } from './seed-history.ts';

/**
 * Keeps the history of a run's seeds, a new one for each beginning of the run. What could not be read is asked for again when
 * the connection is back. The returned function ends that.
 */
export function followSeeds(
  run: Pick<FollowedRun, 'key' | 'onLog'>,
  {
    connection,
    history,
  }: { connection: Pick<Connection, 'ask' | 'link'>; history: Signal<SeedHistory | null> },
): () => void {
  const begin = (firstSeq: number) => {
    history.peek()?.dispose();
    history.value = createSeedHistory({
      firstSeq,
      readEvents: async (query, signal) => {
        const answer = await connection.ask<EventsPage>(`v1/runs/${run.key}/events`, { query, signal });
        if (answer.kind !== 'ok') throw new Error('the history cannot be read');
        return answer.body;
      },
    });
  };
  const unlisten = run.onLog((update) => {
    if (update.kind === 'start') begin(update.firstSeq);
    if (update.kind === 'start' || update.kind === 'entries') history.peek()?.add(update.entries);
    if (update.kind === 'gap') {
      const { after, before, reason } = update;
      history.peek()?.missed({ after, before, isInLog: canBeFilled({ cause: 'stream', reason }) });
    }
  });
  const unwatch = connection.link.subscribe(({ state }) => {
    if (state === 'open') history.peek()?.retry();
  });
  return () => {
    unlisten();
    unwatch();
    history.peek()?.dispose();
  };
}
