import type { RunTimeline } from '@runlog/schema/http/gateway-api';
import type { RefObject } from 'preact';
import { memo } from 'preact/compat';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { abandonedParts } from '../strip/abandoned.ts';
import { CursorLine } from '../strip/cursor-line.tsx';
import { type RunAxis, seqAt } from '../strip/run-axis.ts';
import { paint, useSurface } from '../strip/surface.ts';
import { drawChosen, drawLanes } from './draw-lanes.ts';
import {
  LANE_PX,
  type LanesLayout,
  type LifeAddress,
  lanesLayout,
  laneTops,
  lifeAt,
  nextLife,
} from './lanes-layout.ts';
import { type Lane, type LanesModel, laneName, lanesOf, type SeedLife } from './lanes-model.ts';
import type { SeedEvent } from './seed-events.ts';
import type { SeedHistoryState } from './seed-history.ts';
import type { SharedCursor } from './shared-cursor.ts';
import { useThrottled } from './throttled.ts';

/** A seed's life that was chosen: its log is that of this environment and slot between these events. */
export interface LifePlace {
  readonly env: number | null;
  readonly slot: string;
  readonly fromSeq: number;
  /** The run's newest event, if the life is open. */
  readonly toSeq: number;
}

export interface LanesProps {
  /** What it is called if there are others beside it. */
  readonly name?: string;
  readonly axis: RunAxis;
  readonly timeline: Pick<RunTimeline, 'attempts' | 'attempt' | 'landmarks' | 'first_seq'>;
  readonly seeds: readonly SeedEvent[];
  readonly history: SeedHistoryState;
  readonly cursor: SharedCursor;
  /** The event as of which the lanes are drawn: open lives end there. */
  readonly untilSeq?: number | null;
  onLife(life: LifePlace): void;
  /** Asks for the events again that could not be read. */
  onRetry?(): void;
}

const SOURCE = 'lanes';
const REDRAW_MS_MIN = 1_000;

/** The lives of a run's seeds: a row an environment and slot. New events are drawn at most once a second. */
export const Lanes = memo((props: LanesProps) => {
  const alike = useAlike(props);
  const { axis, timeline, seeds, history, untilSeq } = useThrottled(alike, REDRAW_MS_MIN, alike.untilSeq);
  const model = useMemo(
    () => lanesOf({ events: seeds, attempts: timeline.attempts }),
    [seeds, timeline.attempts],
  );
  return (
    <section class="lanes" aria-label={props.name ?? 'Seed lives'}>
      <Legend />
      <LanesNote history={history} model={model} onRetry={props.onRetry} />
      {model.lanes.length > 0 && (
        <div class="lanes-body">
          <LaneNames lanes={model.lanes} />
          <LanesDrawing
            {...{ axis, timeline, model, history, untilSeq }}
            cursor={props.cursor}
            onLife={props.onLife}
          />
        </div>
      )}
    </section>
  );
});

/** Returns the same object while what is drawn stays the same. */
function useAlike({ axis, timeline, seeds, history, untilSeq = null }: LanesProps) {
  return useMemo(
    () => ({ axis, timeline, seeds, history, untilSeq }),
    [axis, timeline, seeds, history, untilSeq],
  );
}

function Legend() {
  return (
    <p class="lanes-legend">
      <span class="lanes-title">seed lives</span>
      {(['germ', 'train', 'blend', 'hold'] as const).map((stage) => (
        <span key={stage} class={`stage stage-${stage}`}>
          {stage}
        </span>
      ))}
      <span class="lanes-fossil">
        <Sign path="M5 0L10 5L5 10L0 5Z" /> fossil
      </span>
      <span class="lanes-pruned">
        <Sign path="M1 1L9 9M9 1L1 9" /> pruned
      </span>
    </p>
  );
}

/** A sign as it is drawn in the lanes, whatever the fonts have. */
function Sign({ path }: { path: string }) {
  return (
    <svg width="9" height="9" viewBox="0 0 10 10" aria-hidden="true">
      <path d={path} fill="currentColor" stroke="currentColor" stroke-width="1.5" />
    </svg>
  );
}

function LanesNote({
  history,
  model,
  onRetry,
}: {
  history: SeedHistoryState;
  model: LanesModel;
  onRetry: (() => void) | undefined;
}) {
  const notes: string[] = [];
  if (history === 'loading') notes.push('Reading seeds that are not here yet …');
  if (history === 'complete' && model.lanes.length === 0) notes.push('No seed has germinated.');
  if (history === 'cut') notes.push('Older seeds are left out.');
  if (history === 'holed') notes.push('Seeds may be missing: not all events reached this page.');
  if (history === 'failed') notes.push('Not all seeds could be read.');
  if (model.lanesLeftOut > 0) notes.push(`${model.lanesLeftOut} lanes are left out.`);
  if (notes.length === 0) return null;
  return (
    <p class="lanes-note">
      {notes.join(' ')}
      {history === 'failed' && onRetry !== undefined && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </p>
  );
}

function LaneNames({ lanes }: { lanes: readonly Lane[] }) {
  const { height, tops } = laneTops(lanes);
  return (
    <svg class="lanes-names" width="76" height={height} aria-hidden="true">
      {lanes.map((lane, index) => (
        <text key={laneName(lane)} y={tops[index]! + LANE_PX / 2} dominant-baseline="central">
          {laneName(lane)}
        </text>
      ))}
    </svg>
  );
}

/** A life by what stays the same when lanes are added and others begin later. */
interface HeldLife {
  readonly lane: string;
  readonly fromSeq: number;
}

interface DrawingProps extends Pick<LanesProps, 'axis' | 'timeline' | 'history' | 'cursor' | 'onLife'> {
  readonly model: LanesModel;
  readonly untilSeq: number | null;
}

function LanesDrawing(props: DrawingProps) {
  const { axis, timeline, model, history, untilSeq, cursor, onLife } = props;
  const box = useRef<HTMLDivElement>(null);
  const [held, setHeld] = useState<HeldLife | null>(null);
  const chosen = useMemo(() => addressOf(model, held), [model, held]);
  const setChosen = (address: LifeAddress | null) => setHeld(heldOf(model, address));
  const layout = useDrawnLanes(box, { axis, timeline, model, history, untilSeq, chosen });
  const lane = chosen === null ? undefined : model.lanes[chosen.lane];
  const life = chosen === null ? undefined : lane?.lives[chosen.life];
  const open = (address: LifeAddress | null) => {
    const place = address === null ? null : lifePlace(model, { address, lastSeq: untilSeq ?? axis.lastSeq });
    if (place !== null) onLife(place);
  };
  return (
    <div
      class="lanes-box"
      ref={box}
      style={{ height: `${laneTops(model.lanes).height}px` }}
      role="listbox"
      aria-label={summaryOf(model)}
      aria-activedescendant={life === undefined ? undefined : 'lanes-chosen'}
      tabIndex={0}
      onPointerMove={(event) => {
        if (layout === null) return;
        const point = pointIn(event);
        cursor.point(seqAt(axis, point.x / layout.width), SOURCE);
        const address = lifeAt(layout, point);
        event.currentTarget.classList.toggle('is-over-life', address !== null);
        if (!isSame(chosen, address)) setChosen(address);
      }}
      onPointerLeave={() => {
        cursor.leave(SOURCE);
        setChosen(null);
      }}
      onClick={(event) => layout !== null && open(lifeAt(layout, pointIn(event)))}
      onKeyDown={(event) => {
        if (layout === null || event.ctrlKey || event.metaKey || event.altKey) return;
        const to = steppedLife(event.key, { layout, chosen });
        if (to === null && event.key !== 'Enter') return;
        event.preventDefault();
        event.stopPropagation();
        if (event.key === 'Enter') open(chosen);
        else setChosen(to);
      }}
    >
      <canvas class="lanes-canvas" />
      <canvas class="lanes-canvas" />
      <CursorLine axis={axis} cursor={cursor} />
      {life !== undefined && lane !== undefined && layout !== null && (
        <div
          class="lanes-chosen"
          id="lanes-chosen"
          role="option"
          aria-selected="true"
          tabIndex={-1}
          style={labelPlace(layout, chosen!)}
        >
          {lifeText(lane, life)}
        </div>
      )}
    </div>
  );
}

/** Draws the lanes, and above them what is chosen, so that the pointer draws no lane again. */
function useDrawnLanes(
  box: RefObject<HTMLDivElement | null>,
  of: Pick<DrawingProps, 'axis' | 'timeline' | 'model' | 'history' | 'untilSeq'> & {
    chosen: LifeAddress | null;
  },
): LanesLayout | null {
  const { axis, timeline, model, history, untilSeq, chosen } = of;
  const surface = useSurface(box);
  const layout = useMemo(
    () => (surface === null ? null : lanesLayout(axis, model, { width: surface.width, untilSeq })),
    [axis, model, surface, untilSeq],
  );
  const canvasAt = (index: number) => box.current?.querySelectorAll('canvas')[index] ?? null;
  useLayoutEffect(() => {
    if (layout === null || surface === null) return;
    const drawn = {
      ...{ axis, layout },
      abandoned: abandonedParts(timeline),
      oldestSeq: history === 'cut' ? model.oldestSeq : null,
      attempts: timeline.attempts.slice(timeline.attempt > timeline.attempts.length ? 0 : 1),
    };
    paint(canvasAt(0), surface, (context) => drawLanes(context, drawn, surface));
  }, [layout, surface, timeline, history]);
  useLayoutEffect(() => {
    if (layout === null || surface === null) return;
    paint(canvasAt(1), surface, (context) => {
      if (chosen !== null) drawChosen(context, { layout, chosen, surface });
    });
  }, [layout, surface, chosen]);
  return layout;
}

function addressOf({ lanes }: LanesModel, held: HeldLife | null): LifeAddress | null {
  if (held === null) return null;
  const lane = lanes.findIndex((candidate) => laneName(candidate) === held.lane);
  const life = lanes[lane]?.lives.findIndex(({ fromSeq }) => fromSeq === held.fromSeq) ?? -1;
  return life === -1 ? null : { lane, life };
}

function heldOf({ lanes }: LanesModel, address: LifeAddress | null): HeldLife | null {
  const lane = address === null ? undefined : lanes[address.lane];
  const life = address === null ? undefined : lane?.lives[address.life];
  return lane === undefined || life === undefined ? null : { lane: laneName(lane), fromSeq: life.fromSeq };
}

/** Returns where the text about a life goes: beside its lane, on the side where there is room. */
function labelPlace({ lanes, width, height }: LanesLayout, { lane, life }: LifeAddress) {
  const { top, lives } = lanes[lane]!;
  const { x0, x1 } = lives[life]!;
  const isLow = top + 3 * LANE_PX > height && top > 2 * LANE_PX;
  return {
    top: `${isLow ? top - LANE_PX - 6 : top + LANE_PX + 2}px`,
    ...(x0 + x1 > width ? { right: `${width - x1}px` } : { left: `${x0}px` }),
  };
}

function steppedLife(
  key: string,
  { layout, chosen }: { layout: LanesLayout; chosen: LifeAddress | null },
): LifeAddress | null {
  const direction = ({ ArrowLeft: 'left', ArrowRight: 'right', ArrowUp: 'up', ArrowDown: 'down' } as const)[
    key
  ];
  if (direction === undefined) return null;
  if (chosen === null) return layout.lanes.length === 0 ? null : { lane: 0, life: 0 };
  return nextLife(layout, chosen, direction) ?? chosen;
}

function lifePlace(
  model: LanesModel,
  { address, lastSeq }: { address: LifeAddress; lastSeq: number },
): LifePlace | null {
  const lane = model.lanes[address.lane];
  const life = lane?.lives[address.life];
  if (lane === undefined || life === undefined) return null;
  const toSeq = life.end === null ? Math.max(life.toSeq, lastSeq) : life.toSeq;
  return { env: lane.env, slot: lane.slot, fromSeq: life.fromSeq, toSeq };
}

function lifeText(lane: Lane, { blueprint, end, note, segments }: SeedLife): string {
  const state = end ?? segments.at(-1)?.stage ?? '';
  return [laneName(lane), blueprint, state, note].filter((text) => text !== '').join(' · ');
}

function summaryOf({ lanes, counts }: LanesModel): string {
  const lives = lanes.reduce((sum, lane) => sum + lane.lives.length, 0);
  return `Lives of ${lives} seeds in ${lanes.length} lanes: ${counts.fossilised} fossilised, ${counts.pruned} pruned, ${counts.open} open`;
}

function pointIn(event: MouseEvent & { readonly currentTarget: EventTarget & HTMLElement }) {
  const { left, top } = event.currentTarget.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}

function isSame(one: LifeAddress | null, other: LifeAddress | null): boolean {
  return one === other || (one?.lane === other?.lane && one?.life === other?.life);
}
