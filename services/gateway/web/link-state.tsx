import type { FeedState, StreamStatus } from '@runlog/client/stream-client';
import { feed, link } from './store.ts';

/** Shows the state of the connection. A run's own header says whether the run is alive. */
export function LinkState() {
  const { text, tone } = describeLink(link.value, feed.value);
  return (
    <output class={`link link-${tone}`} data-state={link.value.state}>
      {text}
    </output>
  );
}

function describeLink(
  status: StreamStatus,
  reading: FeedState,
): { text: string; tone: 'good' | 'warn' | 'bad' } {
  switch (status.state) {
    case 'open':
      if (reading.state === 'stalled') {
        const since = new Date(reading.since).toLocaleTimeString();
        return { text: `the log does not answer, nothing new since ${since}`, tone: 'bad' };
      }
      return { text: 'connected', tone: 'good' };
    case 'connecting':
      return { text: 'connecting …', tone: 'warn' };
    case 'waiting':
      return { text: 'connection lost, trying again …', tone: 'warn' };
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
