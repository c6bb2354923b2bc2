import { parseRunKey } from '@runlog/schema/run/run-key';
import { type Address, fleetAddress, parseAddress, runAddress } from './address.ts';

/** What somebody who types into the box wants to go to. */
export type Goal =
  | { readonly kind: 'address'; readonly address: Address }
  /** An event of the run that is shown, by its seq. */
  | { readonly kind: 'event'; readonly seq: number }
  /** A time of the run that is shown, in milliseconds since 1970. */
  | { readonly kind: 'time'; readonly ms: number };

const DAY_MS = 86_400_000;
const clock =
  /^(?:(\d{4}-\d{2}-\d{2})[T ])?([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.\d+)?)?(?: ?(?:Z|UTC))?$/i;

/**
 * Reads what was typed: a run (`c1/run/group`, `c1/run`, or a whole address), a seq (`9471`, `#9471`), a time (`07:12`,
 * `07:12:38`, `2026-11-27 07:12`; UTC), or else words to look for among the runs. Null if there is nothing. A time without a
 * day is that of the newest day on which the run had it; `lastMs` is that of the run's newest event, null outside a run.
 */
export function goalOf(typed: string, { lastMs }: { readonly lastMs: number | null }): Goal | null {
  const text = typed.trim();
  if (text === '') return null;
  if (lastMs !== null) {
    const seq = /^#?(\d{1,15})$/.exec(text)?.[1];
    if (seq !== undefined) return { kind: 'event', seq: Number(seq) };
    const ms = timeIn(text, lastMs);
    if (ms !== null) return { kind: 'time', ms };
  }
  return { kind: 'address', address: addressIn(text) };
}

function addressIn(text: string): Address {
  const key = [text, `${text}/default`].find((each) => parseRunKey(each) !== null);
  if (key !== undefined) return runAddress(key);
  const hash = text.indexOf('#');
  if (hash !== -1) {
    const address = parseAddress(text.slice(hash));
    if (address.view !== 'unknown') return address;
  }
  return fleetAddress({ q: text });
}

function timeIn(text: string, lastMs: number): number | null {
  const match = clock.exec(text);
  if (match === null) return null;
  const [, day, hour, minute, second = '0'] = match;
  const sinceMidnightMs = ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1_000;
  if (day !== undefined) {
    const dayMs = Date.parse(`${day}T00:00:00Z`);
    return Number.isNaN(dayMs) ? null : dayMs + sinceMidnightMs;
  }
  const today = Math.floor(lastMs / DAY_MS) * DAY_MS + sinceMidnightMs;
  return today > lastMs ? today - DAY_MS : today;
}

/** What a goal is, for whoever is still typing. */
export function goalText(goal: Goal | null): string {
  if (goal === null) return 'a run, the seq of an event, or a time (UTC)';
  switch (goal.kind) {
    case 'event':
      return `event ${goal.seq}`;
    case 'time':
      return `first event at ${new Date(goal.ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
    case 'address':
      return goal.address.view === 'fleet' ? 'look for it among the runs' : `open ${nameOf(goal.address)}`;
    default: {
      const unreachable: never = goal;
      throw new Error(`unknown goal ${String(unreachable)}`);
    }
  }
}

function nameOf(address: Address): string {
  return address.view === 'run' ? address.key : 'that page';
}
