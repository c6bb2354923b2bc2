import type { BegunAnew, LogStore } from './log-store.ts';

const places: Readonly<Record<BegunAnew, string>> = {
  same: 'the event that you were at is shown',
  nearest: 'the event that you were at is gone, and the nearest to it is shown',
  end: 'what you were at could not be found, and its end is shown',
};

/** Says that the log began anew while somebody read it, and what became of the place. */
export function BegunAnewBar({ log }: { log: LogStore }) {
  const place = log.begunAnew.value;
  if (place === null) return null;
  return (
    <p class="around-bar" role="status">
      <span>the log of this run began anew: {places[place]}</span>
      <button type="button" class="text-button" onClick={() => log.takeBegunAnew()}>
        ok
      </button>
    </p>
  );
}
