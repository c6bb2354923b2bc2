import { signal } from '@preact/signals';
import type { RunProof } from '@runlog/schema/http/proof-api';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Answer, AskOptions } from './ask.ts';
import type { Connection, LinkStatus } from './connection.ts';
import { createProofPoll } from './run-proof.ts';

const proofAt = (seq: number) => ({ position: { epoch: 'e', seq } }) as unknown as RunProof;
const away: Answer<RunProof> = { kind: 'away' };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function polled(overrides: { hidden?: boolean; state?: 'open' | 'connecting' } = {}) {
  const link = signal<LinkStatus>({ state: overrides.state ?? 'open' });
  const asked: string[] = [];
  /** The answers that were made to wait, by the test. */
  const held: ((answer: Answer<RunProof>) => void)[] = [];
  const world = { answer: (): Answer<RunProof> | null => ({ kind: 'ok', body: proofAt(asked.length) }) };
  let isHidden = overrides.hidden ?? false;
  let tell = () => {};
  const connection = {
    link,
    monotonicMs: () => 7,
    ask: async (_path: string, { method = 'GET' }: AskOptions) => {
      asked.push(method);
      return world.answer() ?? new Promise((resolve) => held.push(resolve));
    },
  } as unknown as Pick<Connection, 'ask' | 'link' | 'monotonicMs'>;
  const poll = createProofPoll('c/r/g', {
    connection,
    page: {
      isHidden: () => isHidden,
      onShownOrHidden(listener) {
        tell = listener;
        return () => undefined;
      },
    },
  });
  const turn = (hidden: boolean) => {
    isHidden = hidden;
    tell();
  };
  return { poll, link, asked, held, world, turn, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
}

it('is asked for once, however many show it, and not at all while nobody does', async () => {
  const { poll, asked, pass } = polled();
  await pass(60_000);
  expect(asked).toEqual([]);
  const ends = [poll.show(), poll.show(), poll.show()];
  await pass(20_500);
  expect(asked).toHaveLength(3);
  expect(poll.proof.value?.position.seq).toBe(3);
  for (const end of ends) end();
  await pass(60_000);
  expect(asked).toHaveLength(3);
});

it('is not asked for in a page that nobody sees, and at once when it is seen', async () => {
  const { poll, asked, pass, turn } = polled({ hidden: true });
  poll.show();
  await pass(60_000);
  expect(asked).toEqual([]);
  turn(false);
  await pass(0);
  expect(asked).toHaveLength(1);
});

it('is asked for when the connection is there, and again when it is back', async () => {
  const { poll, asked, pass, link } = polled({ state: 'connecting' });
  poll.show();
  await pass(30_000);
  expect(asked).toEqual([]);
  link.value = { state: 'open' };
  await pass(0);
  link.value = { state: 'connecting' };
  await pass(30_000);
  link.value = { state: 'open' };
  await pass(0);
  expect(asked).toHaveLength(2);
});

it('keeps the last answer when a question is in vain, and says nothing of a verification', async () => {
  const { poll, pass, world } = polled();
  poll.show();
  await pass(0);
  world.answer = () => away;
  await pass(10_000);
  expect(poll.proof.value?.position.seq).toBe(1);
  expect(poll.isAway.value).toBe(true);
  expect(poll.verifyFailure.value).toBeNull();
});

it('says why a verification that was asked for did not come about, until one does', async () => {
  const { poll, pass, world } = polled();
  poll.show();
  await pass(0);
  world.answer = () => ({ kind: 'refused', status: 503, code: 'busy', message: 'too many at once' });
  await poll.verify();
  expect(poll.verifyFailure.value).toBe('too many at once');
  expect(poll.proof.value?.position.seq).toBe(1);
  world.answer = () => ({ kind: 'ok', body: proofAt(99) });
  await pass(10_000);
  expect(poll.verifyFailure.value).toBe('too many at once');
  await poll.verify();
  expect(poll.verifyFailure.value).toBeNull();
});

it('is not taken back by an answer that was on its way before the verification', async () => {
  const { poll, held, asked, world, pass } = polled();
  world.answer = () => null;
  poll.show();
  await pass(0);
  const verified = poll.verify();
  await pass(0);
  expect(poll.verifyingSinceMs.value).toBe(7);
  held[0]!({ kind: 'ok', body: proofAt(1) });
  await pass(20_000);
  expect(asked).toEqual(['GET', 'POST']);
  held[1]!({ kind: 'ok', body: proofAt(99) });
  await verified;
  expect(poll.proof.value?.position.seq).toBe(99);
  expect(poll.verifyingSinceMs.value).toBeNull();
});
