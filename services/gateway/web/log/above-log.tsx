import type { ComponentChildren } from 'preact';
import { visibleText } from '../text/visible-text.ts';
import { formatFilter } from './log-filter.ts';
import type { BegunAnew, LogStore } from './log-store.ts';

const begunAnewWords: Readonly<Record<BegunAnew, string>> = {
  same: 'the event that you were at is shown',
  nearest: 'the event that you were at is gone, the nearest to it is shown',
  end: 'the event that you were at could not be found',
};

/** Says above the log that it does not show what it would by itself, and leads back. */
export function AboveLog({ log }: { log: LogStore }) {
  const around = log.around.value;
  const begunAnew = log.begunAnew.value;
  return (
    <>
      {begunAnew !== null && (
        <Bar does={() => log.takeBegunAnew()} word="ok">
          the log began anew: {begunAnewWords[begunAnew]}
        </Bar>
      )}
      {around !== null && (
        <Bar
          does={() => log.showMatches()}
          word={
            <>
              back to the matches <kbd>o</kbd>
            </>
          }
        >
          around event {around}, without the filter <bdi>{visibleText(formatFilter(log.filter.value))}</bdi>
        </Bar>
      )}
    </>
  );
}

function Bar({
  does,
  word,
  children,
}: {
  does(): void;
  word: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <p class="around-bar" role="status">
      <span>{children}</span>
      <button type="button" class="text-button" onClick={does}>
        {word}
      </button>
    </p>
  );
}
