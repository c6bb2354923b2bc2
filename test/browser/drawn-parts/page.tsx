import { render } from 'preact';
import { useMemo } from 'preact/hooks';
import { Sparkline } from '../../../services/gateway/web/fleet/sparkline.tsx';
import { Charts } from '../../../services/gateway/web/side/charts.tsx';
import { Lanes } from '../../../services/gateway/web/side/lanes.tsx';
import { seedEventOf } from '../../../services/gateway/web/side/seed-events.ts';
import type { SeedHistoryState } from '../../../services/gateway/web/side/seed-history.ts';
import { createSharedCursor } from '../../../services/gateway/web/side/shared-cursor.ts';
import { runAxisOf } from '../../../services/gateway/web/strip/run-axis.ts';
import { Strip } from '../../../services/gateway/web/strip/strip.tsx';
import type { DrawnRun } from '../../support/drawn-run.ts';

/** What the page under test shows. */
export interface Shown {
  readonly run: DrawnRun;
  readonly window: { fromSeq: number; toSeq: number } | null;
  readonly at: number | null;
  readonly isLive: boolean;
  readonly chosen: readonly string[] | null;
  readonly history: SeedHistoryState;
  readonly spark: readonly number[];
}

/** What the parts called back, in order: the name of the function and what it was given. */
const called: [string, unknown][] = [];
/** How often canvases were cleared. */
const drawn = { canvases: 0 };

const cursor = createSharedCursor();
const note = (name: string) => (value: unknown) => called.push([name, value]);
const callbacks = {
  onTravel: note('travel'),
  onWindow: note('window'),
  onLife: note('life'),
  onPlace: note('place'),
  onChoose: note('choose'),
  onRetry: () => called.push(['retry', null]),
};

function Parts({ run, window, at, isLive, chosen, history, spark }: Shown) {
  const { timeline, figures, emitters, head, entries } = run;
  const seeds = useMemo(() => entries.map(seedEventOf).filter((event) => event !== null), [entries]);
  const axis = useMemo(() => runAxisOf({ timeline, head, anchors: seeds }), [timeline, head, seeds]);
  return (
    <main>
      <Strip
        {...{ axis, timeline, seeds, emitters, window, at, isLive, cursor }}
        onTravel={callbacks.onTravel}
        onWindow={callbacks.onWindow}
      />
      <div class="harness-side">
        <Charts
          {...{ axis, figures, timeline, seeds, chosen, cursor }}
          onChoose={callbacks.onChoose}
          onPlace={callbacks.onPlace}
        />
        <Lanes
          {...{ axis, timeline, seeds, history, cursor }}
          onLife={callbacks.onLife}
          onRetry={callbacks.onRetry}
        />
      </div>
      <p class="harness-spark">
        <Sparkline values={spark} />
      </p>
    </main>
  );
}

function count(): void {
  const { clearRect } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.clearRect = function (...box) {
    drawn.canvases += 1;
    clearRect.apply(this, box);
  };
}

let latest: Shown | null = null;
function show(shown: Shown): void {
  latest = shown;
  render(<Parts {...shown} />, root);
}

const root = document.getElementById('app')!;
count();
Object.assign(globalThis, {
  harness: {
    called,
    drawn,
    cursor,
    show,
    /** Renders once more what is shown. */
    again: () => show(latest!),
    close: () => render(null, root),
  },
});
