import { computed, signal } from '@preact/signals';
import type { EntryFilter } from '@runlog/client/history-request';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { entryOf } from '../../../../test/support/entry-factory.ts';
import { type LogFilter, noFilter, serverFilterOf } from '../log/log-filter.ts';
import type { LogStore } from '../log/log-store.ts';
import { runAddress } from '../shell/address.ts';
import type { Answer } from '../shell/ask.ts';
import type { Connection, LinkStatus } from '../shell/connection.ts';
import { goTo, route, setOptions } from '../shell/route.ts';
import { createTravel, type Travel } from './travel.ts';

const KEY = 'c/r/g';
const away: Answer<never> = { kind: 'away' };
/** Events come a tenth of a second after each other. */
const entry = (seq: number) =>
  entryOf({ seq, env_id: 1, occurred_at: new Date(1_000_000 + seq * 100).toISOString() });

let travel: Travel | undefined;
beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  travel?.[Symbol.dispose]();
  vi.useRealTimers();
});

function travelling(of: { at: number; newest?: number }) {
  goTo(runAddress(KEY, { at: of.at }));
  const at = computed(() => (route.value.view === 'run' ? route.value.at : null));
  const newest = signal<number | null>(of.newest ?? 1_000);
  const filter = signal<LogFilter>(noFilter);
  const around = signal<number | null>(null);
  const asked: Record<string, unknown>[] = [];
  const played: number[] = [];
  let isAway = false;
  const log = {
    ...{ filter, around },
    serverFilter: (): EntryFilter => (around.peek() === null ? serverFilterOf(filter.peek()) : {}),
    ...{ showAsOf() {}, showLive() {}, notePast() {}, noteHistory() {} },
    play: (entries: readonly { seq: number }[]) => played.push(...entries.map(({ seq }) => seq)),
  } as unknown as LogStore;
  const connection = {
    link: signal<LinkStatus>({ state: 'open' }),
    monotonicMs: () => Date.now(),
    ask: async (path: string, { query }: { query: { at?: number; after?: number } }) => {
      asked.push(query);
      if (!path.endsWith('/events')) {
        if (isAway) return away;
        const seq = Math.min(query.at!, newest.peek()!);
        const last_event_at = new Date(1_000_000 + seq * 100).toISOString();
        return { kind: 'ok', body: { position: { epoch: 'e', seq }, last_event_at } };
      }
      const events = Array.from({ length: 200 }, (_, index) => ({ entry: entry(query.after! + 1 + index) }));
      return { kind: 'ok', body: { events, next: query.after! + 200 } };
    },
  } as unknown as Connection;
  travel = createTravel({ key: KEY, at, newest, log, connection, onPresent: () => undefined });
  return {
    ...{ travel, at, newest, filter, around, asked, played },
    lose: () => {
      isAway = true;
    },
    pass: (ms: number) => vi.advanceTimersByTimeAsync(ms),
    /** Plays, once the player is loaded and has asked for its first page. */
    async play() {
      const before = asked.length;
      travel?.changeSpeed();
      await vi.waitFor(() => expect(asked.slice(before).some(({ after }) => after !== undefined)).toBe(true));
    },
  };
}

it('leaves the address at the event that the log shows when a state fails while it is played', async () => {
  const { travel: made, at, played, pass, play, lose } = travelling({ at: 10 });
  await pass(0);
  await play();
  await pass(1_400);
  lose();
  await pass(1_000);
  expect(made.failure.value?.sentence).toBe('The gateway does not answer.');
  expect(made.speed.value).toBe(0);
  expect(at.value).toBe(played.at(-1));
});

it('plays what the log shows: without the filter around an event, and with it again behind that', async () => {
  const { travel: made, filter, around, asked, pass, play } = travelling({ at: 10 });
  filter.value = { ...noFilter, envs: [1] };
  const readWith = async () => {
    await pass(0);
    await play();
    return asked.findLast(({ after }) => after !== undefined);
  };
  expect(await readWith()).toMatchObject({ env: [1] });
  around.value = 12;
  expect(made.speed.value).toBe(0);
  expect(await readWith()).not.toHaveProperty('env');
});

it('says of an event that the run has not reached that there is none yet, and shows it when it comes', async () => {
  const { travel: made, newest, pass } = travelling({ at: 900, newest: 5 });
  await pass(0);
  expect(made.failure.value).toEqual({
    sentence: 'This run has no event 900 yet: its newest is 5.',
    retry: null,
  });
  expect(made.past.value).toBeNull();
  newest.value = 901;
  await pass(0);
  expect(made.failure.value).toBeNull();
  expect(made.past.value?.position?.seq).toBe(900);
  setOptions('run', { at: 20 });
  await pass(0);
  expect(made.past.value?.position?.seq).toBe(20);
});
