import { useSignal } from '@preact/signals';
import type { FeedState } from '@runlog/client/stream-client';
import { useEffect } from 'preact/hooks';
import { BEHIND_MS_MAX } from '../run/behind.ts';
import { ageText } from '../text/ages.ts';
import { momentText } from '../text/dates.ts';
import { connection, type LinkStatus } from './connection.ts';
import { behind } from './top-bar-facts.ts';

export type LinkTone = 'good' | 'warn' | 'bad';

/** Shows the state of the connection. A run's own header says whether the run is alive. */
export function LinkState() {
  const { link, feed, silentMs, clock } = connection();
  const status = link.value;
  const nowMs = useMonotonicMs(status.state === 'waiting');
  const { text, tone } = describeLink(status, {
    ...{ feed: feed.value, silentMs: silentMs.value, behindMs: behind.value },
    ...{ monotonicMs: nowMs, serverMs: clock.now.value },
  });
  return (
    <span class="link-state">
      <output class={`link link-${tone}`} data-state={status.state}>
        <span aria-hidden="true" class="link-dot">
          {tone === 'good' ? '●' : tone === 'warn' ? '◐' : '✗'}
        </span>{' '}
        {text}
      </output>
      {status.state === 'waiting' && (
        <button class="text-button" type="button" onClick={() => connection().reconnectNow()}>
          now
        </button>
      )}
    </span>
  );
}

/** Words for the state of the connection. */
export function describeLink(
  status: LinkStatus,
  at: {
    readonly feed: FeedState;
    readonly silentMs: number;
    readonly behindMs: number | null;
    readonly monotonicMs: number;
    readonly serverMs: number | null;
  },
): { text: string; tone: LinkTone } {
  switch (status.state) {
    case 'open':
      if (at.silentMs > 0) return { text: `no answer for ${ageText(at.silentMs)}`, tone: 'warn' };
      if (at.feed.state === 'stalled') {
        const since = momentText(Date.parse(at.feed.since), at.serverMs);
        return { text: `the log does not answer, nothing new since ${since}`, tone: 'bad' };
      }
      if (at.behindMs === null) return { text: 'connected', tone: 'good' };
      return {
        text: `connected · ${ageText(at.behindMs)} behind`,
        tone: at.behindMs > BEHIND_MS_MAX ? 'warn' : 'good',
      };
    case 'connecting':
      return { text: 'connecting …', tone: 'warn' };
    case 'waiting': {
      const seconds = Math.max(0, Math.ceil((status.retryAtMs - at.monotonicMs) / 1_000));
      return { text: `connection lost, trying again in ${seconds} s`, tone: 'warn' };
    }
    case 'stopped':
      return { text: `refused (${status.code} ${status.reason})`, tone: 'bad' };
    case 'closed':
      return { text: 'closed', tone: 'bad' };
    default: {
      const unreachable: never = status;
      throw new Error(`unknown status ${String(unreachable)}`);
    }
  }
}

/** The monotonic clock, four times a second while it is needed. */
function useMonotonicMs(isNeeded: boolean): number {
  const nowMs = useSignal(connection().monotonicMs());
  useEffect(() => {
    if (!isNeeded) return;
    const tick = () => {
      nowMs.value = connection().monotonicMs();
    };
    tick();
    const timer = setInterval(tick, 250);
    return () => clearInterval(timer);
  }, [isNeeded, nowMs]);
  return nowMs.value;
}
