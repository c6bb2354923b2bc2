import type { EdgeRow } from './log-rows.ts';

/** What is beyond the first or the last row that is loaded. */
export function EdgeLine({ row, onRetry }: { row: EdgeRow; onRetry(): void }) {
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

function Said({ children }: { children: preact.ComponentChildren }) {
  return (
    <span class="line-edge-text" role="gridcell">
      {children}
    </span>
  );
}
