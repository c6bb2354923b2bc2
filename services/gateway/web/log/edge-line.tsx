import type { ReadonlySignal } from '@preact/signals';
import { counted } from '../text/numbers.ts';
import type { CatchingUp } from './catching-up.ts';
import type { EdgeRow } from './log-row.ts';

interface EdgeLineProps {
  readonly row: EdgeRow;
  readonly catchingUp: ReadonlySignal<CatchingUp | null>;
  onRetry(): void;
}

/** What is beyond the first or the last row that is loaded. */
export function EdgeLine({ row, catchingUp, onRetry }: EdgeLineProps) {
  const { at, state } = row;
  const side = at === 'top' ? 'older' : 'newer';
  switch (state) {
    case 'beginning':
      return <Said>beginning of the run</Said>;
    case 'gone':
      return <Said>older events are no longer kept</Said>;
    case 'more':
    case 'loading':
      return <Said>loading {side} events …</Said>;
    case 'catching_up':
      return <CatchingUpLine catchingUp={catchingUp} />;
    case 'failed':
      return (
        <Said>
          {side} events could not be loaded ·{' '}
          <button type="button" class="text-button" tabIndex={-1} onClick={onRetry}>
            try again
          </button>
        </Said>
      );
    case 'searching':
      return (
        <Said>
          no match among many {side} events ·{' '}
          <button type="button" class="text-button" tabIndex={-1} onClick={onRetry}>
            search on
          </button>
        </Said>
      );
    default: {
      const unreachable: never = state;
      throw new Error(`unknown edge ${String(unreachable)}`);
    }
  }
}

function CatchingUpLine({ catchingUp }: Pick<EdgeLineProps, 'catchingUp'>) {
  const events = catchingUp.value?.events ?? null;
  const many = events === null ? 'events are' : `${counted(events, 'event')} ${events === 1 ? 'is' : 'are'}`;
  return <Said>catching up: {many} being read again …</Said>;
}

function Said({ children }: { children: preact.ComponentChildren }) {
  return (
    <span class="line-edge-text" role="gridcell">
      {children}
    </span>
  );
}
