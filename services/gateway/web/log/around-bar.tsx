import type { RunScreen } from '../run/run-screen.ts';
import { visibleText } from '../text/visible-text.ts';
import { formatFilter } from './log-filter.ts';

/** Says that the filter is put aside for what is around an event, and leads back. */
export function AroundBar({ screen: { log } }: { screen: RunScreen }) {
  const seq = log.around.value;
  if (seq === null) return null;
  return (
    <p class="around-bar" role="status">
      <span>
        around event {seq}, without the filter <bdi>{visibleText(formatFilter(log.filter.value))}</bdi>
      </span>
      <button type="button" class="text-button" onClick={() => log.showMatches()}>
        back to the matches <kbd>o</kbd>
      </button>
    </p>
  );
}
