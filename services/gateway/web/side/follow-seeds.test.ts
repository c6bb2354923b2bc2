import { signal } from '@preact/signals';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import { expect, it, vi } from 'vitest';
import { entryOf } from '../../../../test/support/entry-factory.ts';
import type { LogListener } from '../run/followed-run.ts';
import type { Connection, LinkStatus } from '../shell/connection.ts';
import { followSeeds } from './follow-seeds.ts';
import type { SeedHistory } from './seed-history.ts';

const start = { kind: 'start', entries: [], position: { epoch: 'e', seq: 100 }, firstSeq: 0 } as const;
const gap = { kind: 'gap', after: 100, before: 9_000, count: 8_899, reason: 'too_many' } as const;

function followed() {
  const asked: (number | undefined)[] = [];
  const link = signal<LinkStatus>({ state: 'open' });
  const history = signal<SeedHistory | null>(null);
  const faults: string[] = [];
  let tell: LogListener = () => undefined;
  const connection = {
    link,
    ask: async (_path: string, { query }: { query: { before?: number } }) => {
      asked.push(query.before);
      if (faults.length > 0) return { kind: 'refused', status: 503, code: faults.pop(), message: '' };
      const { before } = query;
      const entry = entryOf({ event_type: 'SEED_PRUNED', seq: before === undefined ? 3 : before - 1 });
      const { seq } = entry;
      const events = [{ seq, received_at: null, entry, event: {}, duplicate: false }];
      const body: EventsPage = { events, next: null, position: { epoch: 'e', seq: 9_999 }, oldest: 0 };
      return { kind: 'ok', body };
    },
  } as unknown as Pick<Connection, 'ask' | 'link'>;
  const end = followSeeds(
    {
      key: 'c/r/g',
      onLog(listener) {
        tell = listener;
        return () => undefined;
      },
    },
    { connection, history },
  );
  const settled = (state: string) => vi.waitFor(() => expect(history.value?.state.value).toBe(state));
  const seqs = () => history.value?.events.value.map(({ seq }) => seq);
  return { asked, link, history, faults, end, settled, seqs, tell: ((told) => tell(told)) as LogListener };
}

it('reads the seeds of a gap of the stream, and says that they are complete only then', async () => {
  const { tell, settled, seqs, asked, history } = followed();
  tell(start);
  await settled('complete');
  tell(gap);
  expect(history.value?.state.value).toBe('loading');
  await settled('complete');
  expect(seqs()).toEqual([3, 8_999]);
  expect(asked).toEqual([undefined, 9_000]);
});

it('says that seeds may be missing where the log has no more than the stream', async () => {
  const { tell, settled, asked } = followed();
  tell(start);
  await settled('complete');
  tell({ ...gap, reason: 'history_gone' });
  await settled('holed');
  expect(asked).toEqual([undefined]);
});

it('asks again when the connection is back', async () => {
  const { tell, settled, faults, link, seqs } = followed();
  tell(start);
  await settled('complete');
  faults.push('log_unavailable');
  tell(gap);
  await settled('failed');
  link.value = { state: 'connecting' };
  link.value = { state: 'open' };
  await settled('complete');
  expect(seqs()).toEqual([3, 8_999]);
});
