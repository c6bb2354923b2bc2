import type { RefObject } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';

/** What a canvas is drawn on. A new object whenever it must be drawn again: another size, pixel ratio, theme or contrast. */
export interface Surface {
  /** In CSS pixels. */
  readonly width: number;
  readonly height: number;
  /** Device pixels of a CSS pixel. */
  readonly ratio: number;
  /** A value of the element's custom property, such as a colour. */
  colour(name: `--${string}`): string;
}

/** Queries whose answer changes the colours of a drawing. */
const COLOUR_QUERIES = [
  'print',
  '(prefers-color-scheme: dark)',
  '(forced-colors: active)',
  '(prefers-contrast: more)',
];

/** Returns the surface of an element, and null until it is laid out. */
export function useSurface(element: RefObject<HTMLElement | null>): Surface | null {
  const [surface, setSurface] = useState<Surface | null>(null);
  useLayoutEffect(() => {
    const { current } = element;
    if (current === null) return;
    const ended = new AbortController();
    const measure = () => setSurface(surfaceOf(current));
    const observer = new ResizeObserver(() =>
      setSurface((held) => (isAlike(held, current) ? held : surfaceOf(current))),
    );
    observer.observe(current);
    for (const query of COLOUR_QUERIES) {
      matchMedia(query).addEventListener('change', measure, { signal: ended.signal });
    }
    const themes = new MutationObserver(measure);
    themes.observe(document.documentElement, { attributeFilter: ['class', 'data-theme'] });
    followRatio(measure, ended.signal);
    measure();
    return () => {
      ended.abort();
      observer.disconnect();
      themes.disconnect();
    };
  }, [element]);
  return surface;
}

/**
 * Clears a canvas at the resolution of the screen and draws into it, in CSS pixels. Nothing is drawn where there is no room.
 */
export function paint(
  canvas: HTMLCanvasElement | null,
  { width, height, ratio }: Pick<Surface, 'width' | 'height' | 'ratio'>,
  draw: (context: CanvasRenderingContext2D) => void,
): void {
  const context = canvas?.getContext('2d');
  if (canvas == null || context == null || width === 0 || height === 0) return;
  const [columns, rows] = [Math.round(width * ratio), Math.round(height * ratio)];
  // Setting the size clears a canvas, even to the size that it has.
  if (canvas.width !== columns || canvas.height !== rows)
    Object.assign(canvas, { width: columns, height: rows });
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.save();
  draw(context);
  context.restore();
}

/** Makes the stripes of what is missing, in device pixels so that they are crisp. */
export function hatchOf(
  context: CanvasRenderingContext2D,
  colour: string,
  ratio: number,
): CanvasPattern | string {
  const side = Math.round(6 * ratio);
  const tile = new OffscreenCanvas(side, side);
  const stripes = tile.getContext('2d');
  if (stripes === null) return colour;
  // Only a canvas of the page knows the system's own colours.
  context.strokeStyle = colour;
  stripes.strokeStyle = context.strokeStyle;
  stripes.lineWidth = 1.5 * ratio;
  for (const shift of [-side, 0, side]) {
    stripes.beginPath();
    stripes.moveTo(shift, side);
    stripes.lineTo(shift + side, 0);
    stripes.stroke();
  }
  const pattern = context.createPattern(tile, 'repeat');
  pattern?.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern ?? colour;
}

function surfaceOf(element: HTMLElement): Surface {
  const style = getComputedStyle(element);
  return {
    width: element.clientWidth,
    height: element.clientHeight,
    ratio: devicePixelRatio,
    colour: (name) => style.getPropertyValue(name).trim(),
  };
}

function isAlike(held: Surface | null, { clientWidth, clientHeight }: HTMLElement): boolean {
  return held !== null && held.width === clientWidth && held.height === clientHeight;
}

/** A query knows one ratio only, so there is a new one after each change. */
function followRatio(changed: () => void, signal: AbortSignal): void {
  const query = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
  const follow = () => {
    changed();
    followRatio(changed, signal);
  };
  query.addEventListener('change', follow, { once: true, signal });
}
