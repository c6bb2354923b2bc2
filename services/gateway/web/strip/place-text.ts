import { eventsBefore, fractionOfSeq, type RunAxis, timeAt } from './run-axis.ts';

/** Returns `07:11:59`, with the day before it if the run's life has more than one. */
export function axisTimeText(axis: RunAxis, fraction: number): string {
  const text = isoOf(timeAt(axis, fraction));
  const isOneDay = isoOf(axis.startMs).slice(0, 10) === isoOf(axis.endMs).slice(0, 10);
  return isOneDay ? text.slice(11, 19) : `${text.slice(0, 10)} ${text.slice(11, 19)}`;
}

/** Returns where in the run an offset is: `2026-11-27 07:11:59 UTC, event 2,222 of 9,471`. */
export function placeText(axis: RunAxis, seq: number): string {
  const fraction = fractionOfSeq(axis, seq);
  const time = isoOf(timeAt(axis, fraction)).slice(0, 19).replace('T', ' ');
  const all = Math.round(axis.ordinals.at(-1)!);
  const event = Math.min(all, Math.floor(eventsBefore(axis, fraction)) + 1);
  const near = axis.clock === 'order' ? 'about ' : '';
  return `${near}${time} UTC, event ${event.toLocaleString('en')} of ${all.toLocaleString('en')}`;
}

/** The last millisecond of the year 9999: texts of later years have another length. */
const MS_MAX = 253_402_300_799_999;

function isoOf(ms: number): string {
  return new Date(Math.min(MS_MAX, Math.max(0, ms))).toISOString();
}
