import { batch, effect, type ReadonlySignal, signal } from '@preact/signals';
import type { RunProof } from '@runlog/schema/http/proof-api';
import { useLayoutEffect, useMemo } from 'preact/hooks';
import { type Connection, connection } from './connection.ts';

/** Who watches, and the last verification, which another page may have asked for. */
const ASK_EVERY_MS = 10_000;

/** How complete a run is, as the gateway says it now and again while somebody shows it. */
export interface ProofPoll {
  readonly key: string;
  /** The last answer. It stays when the gateway does not answer any more. */
  readonly proof: ReadonlySignal<RunProof | null>;
  /** Whether the last question was in vain. */
  readonly isAway: ReadonlySignal<boolean>;
  /** Since when a verification is being waited for, by the monotonic clock; null while none is. */
  readonly verifyingSinceMs: ReadonlySignal<number | null>;
  /** Why the last verification that was asked for here did not come about; null if it did. */
  readonly verifyFailure: ReadonlySignal<string | null>;
  verify(): Promise<void>;
  /** Has it asked for until the returned function is called. */
  show(): () => void;
  isShown(): boolean;
}

/** What a poll needs of a browser. */
export interface ShownPage {
  isHidden(): boolean;
  /** The returned function ends that. */
  onShownOrHidden(listener: () => void): () => void;
}

export function createProofPoll(
  key: string,
  of: { connection: Pick<Connection, 'ask' | 'link' | 'monotonicMs'>; page?: ShownPage },
): ProofPoll {
  const { ask, link, monotonicMs } = of.connection;
  const { page = browserPage } = of;
  const path = `v1/runs/${key}/proof`;
  const proof = signal<RunProof | null>(null);
  const isAway = signal(false);
  const verifyingSinceMs = signal<number | null>(null);
  const verifyFailure = signal<string | null>(null);
  let shownBy = 0;
  let stop = new AbortController();
  let isAsking = false;

  async function look(): Promise<void> {
    // What was asked for before a verification is older than its answer.
    if (isAsking || verifyingSinceMs.peek() !== null || link.peek().state !== 'open' || page.isHidden())
      return;
    isAsking = true;
    const { signal: own } = stop;
    const answer = await ask<RunProof>(path, { signal: own });
    if (own.aborted) return;
    isAsking = false;
    if (verifyingSinceMs.peek() !== null) return;
    batch(() => {
      isAway.value = answer.kind !== 'ok';
      if (answer.kind === 'ok') proof.value = answer.body;
    });
  }

  async function verify(): Promise<void> {
    if (verifyingSinceMs.peek() !== null) return;
    const { signal: own } = stop;
    verifyingSinceMs.value = monotonicMs();
    const answer = await ask<RunProof>(path, { method: 'POST', signal: own });
    batch(() => {
      verifyingSinceMs.value = null;
      if (own.aborted) return;
      if (answer.kind === 'ok') proof.value = answer.body;
      verifyFailure.value =
        answer.kind === 'ok' ? null : answer.kind === 'away' ? 'the gateway does not answer' : answer.message;
    });
  }

  function start(): () => void {
    stop = new AbortController();
    const timer = setInterval(look, ASK_EVERY_MS);
    const unwatch = effect(() => {
      if (link.value.state === 'open') void look();
    });
    const unlisten = page.onShownOrHidden(() => void look());
    return () => {
      stop.abort();
      isAsking = false;
      clearInterval(timer);
      unwatch();
      unlisten();
    };
  }
  let end: () => void = () => undefined;
  return {
    ...{ key, proof, isAway, verifyingSinceMs, verifyFailure, verify },
    isShown: () => shownBy > 0,
    show() {
      shownBy += 1;
      if (shownBy === 1) end = start();
      return () => {
        shownBy -= 1;
        if (shownBy === 0) end();
      };
    },
  };
}

const browserPage: ShownPage = {
  isHidden: () => document.hidden,
  onShownOrHidden(listener) {
    document.addEventListener('visibilitychange', listener);
    return () => document.removeEventListener('visibilitychange', listener);
  },
};

/** The page shows one run at a time. */
let current: ProofPoll | null = null;

/** Returns what is known of a run's proof. All who show it share one poll, which ends with the last of them. */
export function useRunProof(key: string): ProofPoll {
  const poll = useMemo(() => {
    if (current?.key !== key) current = createProofPoll(key, { connection: connection() });
    return current;
  }, [key]);
  useLayoutEffect(() => {
    current = poll;
    const unshow = poll.show();
    return () => {
      unshow();
      // Whoever comes later asks anew.
      if (current === poll && !poll.isShown()) current = null;
    };
  }, [poll]);
  return poll;
}
