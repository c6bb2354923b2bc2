import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { RunScreen } from '../run/run-screen.ts';
import { counted } from '../text/numbers.ts';

/** Whoever listens is told how much came so often at most, and never each line. */
const SUMMARY_EVERY_MS = 10_000;

/** What a screen reader is told of a log that goes on. */
export function LogSummary({ screen }: { screen: RunScreen }) {
  const said = useSignal('');
  useEffect(() => {
    let before = screen.log.counts.peek().total;
    const timer = setInterval(() => {
      const { total } = screen.log.counts.peek();
      const came = total - before;
      before = total;
      const { word } = screen.run.standing.peek();
      said.value = came > 0 ? `${counted(came, 'new event')}, ${word}` : '';
    }, SUMMARY_EVERY_MS);
    return () => clearInterval(timer);
  }, [screen, said]);
  return (
    <p class="visually-hidden" role="status">
      {said.value}
    </p>
  );
}
