import { memo } from 'preact/compat';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { SharedCursor } from '../side/shared-cursor.ts';
import { CursorLine } from './cursor-line.tsx';
import { drawStrip } from './draw-strip.ts';
import { axisTimeText, placeText } from './place-text.ts';
import { fractionOfSeq, type RunAxis, seqAt } from './run-axis.ts';
import { type StripInput, type StripPlacesInput, stripModel, stripPlaces } from './strip-model.ts';
import { useStripPointer } from './strip-pointer.ts';
import { paint, useSurface } from './surface.ts';

export interface StripProps extends Omit<StripInput & StripPlacesInput, 'width'> {
  readonly cursor: SharedCursor;
  /** Whether the newest event of the axis is the run's present. */
  readonly isLive: boolean;
  /** The reader wants the run as of this event. The axis' last one is the present. */
  onTravel(seq: number): void;
  /** The reader moves the window: the log shows the events around this one. Called at most once a frame. */
  onWindow(seq: number): void;
}

/**
 * The whole life of a run. A click or a drag outside the window travels, a drag of the window moves what the log shows, and
 * the keys of a slider travel too. It is drawn again only if its input changes: give it the same objects for the same things.
 */
export const Strip = memo((props: StripProps) => {
  const { axis, timeline, seeds, emitters, knownGaps, window, at, cursor, isLive } = props;
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const surface = useSurface(box);
  const whole = useMemo(
    () =>
      surface === null
        ? null
        : stripModel({ axis, timeline, seeds, emitters, knownGaps, width: surface.width }),
    [axis, timeline, seeds, emitters, knownGaps, surface],
  );
  const model = useMemo(
    () => (whole === null ? null : { ...whole, ...stripPlaces({ axis, window, at, width: whole.width }) }),
    [whole, axis, window, at],
  );
  useLayoutEffect(() => {
    if (model === null || surface === null) return;
    paint(canvas.current, surface, (context) => drawStrip(context, model, surface));
  }, [model, surface]);
  const pointer = useStripPointer({
    axis,
    model,
    cursor,
    onTravel: props.onTravel,
    onWindow: props.onWindow,
  });
  const here = at ?? axis.lastSeq;
  return (
    <div class="strip">
      <div
        class="strip-box"
        ref={box}
        role="slider"
        tabIndex={0}
        aria-label="Time in the run"
        aria-valuemin={axis.firstSeq}
        aria-valuemax={axis.lastSeq}
        aria-valuenow={here}
        aria-valuetext={`${placeText(axis, here)}${isLive && here >= axis.lastSeq ? ', live' : ''}`}
        onKeyDown={(event) => {
          const to = seqOfKey(event, { axis, here });
          if (to === null) return;
          event.preventDefault();
          event.stopPropagation();
          if (to !== here) props.onTravel(to);
        }}
        {...pointer}
      >
        <canvas class="strip-canvas" ref={canvas} />
        <CursorLine axis={axis} cursor={cursor} />
      </div>
      <p class="strip-ends" aria-hidden="true">
        <span>{axisTimeText(axis, 0)}</span>
        {axis.clock === 'senders' && <span>by the senders' clocks</span>}
        {axis.clock === 'order' && <span>in the order of arrival</span>}
        <span>
          {axisTimeText(axis, 1)}
          {isLive && ' · live'}
        </span>
      </p>
    </div>
  );
});

const STEP = 0.01;
const GREAT_STEP = 0.1;

/** Returns the offset that a key of a slider leads to, or null for any other key. A step is one event at least. */
function seqOfKey(event: KeyboardEvent, { axis, here }: { axis: RunAxis; here: number }): number | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const step = event.shiftKey ? GREAT_STEP : STEP;
  const moved = (by: number) => {
    const seq = Math.round(seqAt(axis, fractionOfSeq(axis, here) + by));
    const atLeast = by < 0 ? Math.min(seq, here - 1) : Math.max(seq, here + 1);
    return Math.min(axis.lastSeq, Math.max(axis.firstSeq, atLeast));
  };
  switch (event.key) {
    case 'ArrowLeft':
    case 'ArrowDown':
      return moved(-step);
    case 'ArrowRight':
    case 'ArrowUp':
      return moved(step);
    case 'PageDown':
      return moved(-GREAT_STEP);
    case 'PageUp':
      return moved(GREAT_STEP);
    case 'Home':
      return axis.firstSeq;
    case 'End':
      return axis.lastSeq;
    default:
      return null;
  }
}
