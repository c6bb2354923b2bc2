import type { LineStyle } from './line-style.ts';

/** How the line of a run looks in the charts. */
export function LineSwatch({ style }: { style: LineStyle }) {
  return (
    <svg class="line-swatch" viewBox="0 0 26 8" aria-hidden="true">
      <path
        d="M1 4H25"
        fill="none"
        stroke-width="2.5"
        style={{ stroke: `var(${style.colour})` }}
        stroke-dasharray={style.dash.length === 0 ? undefined : style.dash.join(' ')}
      />
    </svg>
  );
}
