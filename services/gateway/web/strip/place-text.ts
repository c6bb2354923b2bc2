import { clockText, dayText, instantText } from '../text/dates.ts';
import { countText } from '../text/numbers.ts';
import { eventsBefore, fractionOfSeq, type RunAxis, timeAt } from './run-axis.ts';

/** Returns `07:11:59`, with its day if the run's life has more than one. */
export function axisTimeText(axis: RunAxis, fraction: number): string {
  const ms = timeAt(axis, fraction);
  const isOneDay = dayText(axis.startMs) === dayText(axis.endMs);
  return isOneDay ? clockText(ms) : `${dayText(ms)} ${clockText(ms)}`;
}

/** Returns where in the run an offset is: `Fri 27 Nov 2026 07:11:59 UTC, event 2,222 of 9,471`. */
export function placeText(axis: RunAxis, seq: number): string {
  const fraction = fractionOfSeq(axis, seq);
  const all = Math.round(axis.ordinals.at(-1)!);
  const event = Math.min(all, Math.floor(eventsBefore(axis, fraction)) + 1);
  const near = axis.clock === 'order' ? 'about ' : '';
  return `${near}${instantText(timeAt(axis, fraction))}, event ${countText(event)} of ${countText(all)}`;
}
