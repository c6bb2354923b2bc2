import { useEffect, useRef } from 'preact/hooks';
import type { SharedCursor } from '../side/shared-cursor.ts';
import { type RunAxis, seqAt } from './run-axis.ts';
import { type StripModel, seqAtX } from './strip-model.ts';

const SOURCE = 'strip';
/** A press that moves less is a click. */
const DRAG_PX_MIN = 3;

interface Press {
  readonly pointerId: number;
  readonly startX: number;
  /** How far the pointer is from the middle of the window; null if the press was outside of it. */
  readonly grip: number | null;
  isDrag: boolean;
}

type Pointed = PointerEvent & { readonly currentTarget: EventTarget & HTMLElement };

/** Returns the pointer's handlers of the strip. What is dragged is said at most once a frame, and at its end. */
export function useStripPointer(of: {
  axis: RunAxis;
  model: StripModel | null;
  cursor: SharedCursor;
  onTravel: (seq: number) => void;
  onWindow: (seq: number) => void;
}) {
  const { axis, model, cursor } = of;
  const press = useRef<Press | null>(null);
  const frame = useRef(0);
  const latest = useRef(of);
  latest.current = of;
  useEffect(
    () => () => {
      cancelAnimationFrame(frame.current);
      cursor.leave(SOURCE);
    },
    [cursor],
  );
  const width = model?.width ?? 0;
  const moveWindow = (x: number) => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() =>
      latest.current.onWindow(seqAtX(latest.current.axis, x, width)),
    );
  };
  const end = (event: Pointed) => {
    const held = press.current;
    if (held?.pointerId !== event.pointerId) return null;
    press.current = null;
    return held;
  };
  return {
    onPointerDown: (event: Pointed) => {
      if (event.button !== 0 || press.current !== null) return;
      const x = xOf(event);
      event.currentTarget.setPointerCapture(event.pointerId);
      const window = model?.window ?? null;
      const isInside = window !== null && x >= window.x0 && x <= window.x1;
      const grip = isInside ? x - (window.x0 + window.x1) / 2 : null;
      press.current = { pointerId: event.pointerId, startX: x, grip, isDrag: false };
    },
    onPointerMove: (event: Pointed) => {
      const x = xOf(event);
      cursor.point(seqAt(axis, width === 0 ? 1 : x / width), SOURCE);
      const held = press.current;
      if (held === null || held.pointerId !== event.pointerId) return;
      held.isDrag ||= Math.abs(x - held.startX) >= DRAG_PX_MIN;
      if (held.isDrag && held.grip !== null) moveWindow(x - held.grip);
    },
    onPointerUp: (event: Pointed) => {
      const held = end(event);
      if (held === null) return;
      const x = xOf(event);
      if (held.isDrag && held.grip !== null) moveWindow(x - held.grip);
      else of.onTravel(seqAtX(axis, x, width));
    },
    onPointerCancel: (event: Pointed) => {
      end(event);
      cursor.leave(SOURCE);
    },
    onPointerLeave: () => cursor.leave(SOURCE),
  };
}

function xOf(event: Pointed): number {
  const { left, width } = event.currentTarget.getBoundingClientRect();
  return Math.min(width, Math.max(0, event.clientX - left));
}
