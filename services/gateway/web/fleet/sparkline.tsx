import { memo } from 'preact/compat';
import { sparkPath } from './spark-path.ts';

const WIDTH = 70;
const HEIGHT = 18;
const LINE = 1.25;

/** The course of a run's accuracy, in the colour of the text around it. It is drawn again only if a value has changed. */
export const Sparkline = memo(
  ({ values }: { values: readonly number[] }) => (
    <svg class="spark" width={WIDTH} height={HEIGHT} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
      <path
        d={sparkPath(values, { width: WIDTH, height: HEIGHT, line: LINE })}
        fill="none"
        stroke="currentColor"
        stroke-width={LINE}
        stroke-linejoin="round"
      />
    </svg>
  ),
  ({ values: held }, { values }) =>
    held === values || (held.length === values.length && held.every((value, at) => value === values[at])),
);
