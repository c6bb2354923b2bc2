import { alterCommand } from '../topic-settings.ts';
import { KAFKA, toKafkaFault } from './faults.ts';

const BEFORE = 'message.timestamp.before.max.ms';
const AFTER = 'message.timestamp.after.max.ms';
/** What a broker's clock says lies within this; anything else is the result of numbers that were misunderstood. */
const PLAUSIBLE_MS = { from: Date.UTC(2015, 0, 1), to: Date.UTC(2200, 0, 1) };
/** Clocks that differ by less are not what is wrong. */
const APART_MS_MIN = 30_000;

export function isInvalidTimestamp(error: unknown): boolean {
  return toKafkaFault(error).code === KAFKA.invalidTimestamp;
}

/** What is known of a batch that a broker refused because of its timestamps. */
export interface RefusedTimestamp {
  readonly topic: string;
  /** The time of a record, by the clock of this machine a moment ago. */
  readonly timestampMs: number;
  /** The settings of the topic; null if they cannot be read. */
  readonly settings: Readonly<Record<string, string>> | null;
  /** What the broker said, from which its clock can be told. */
  readonly said: string;
}

/** Says whose clock is apart from whose by how much, as far as can be known, and what is to be done. */
export function explainTimestamp({ topic, timestampMs, settings, said }: RefusedTimestamp): string {
  const refused = `the topic ${topic} refuses a record of ${timeOf(timestampMs)} (INVALID_TIMESTAMP)`;
  const nowMs = brokerNowMs(said, settings);
  if (nowMs === null) {
    const which =
      settings === null ? '' : `; it has ${AFTER}=${settings[AFTER]}, ${BEFORE}=${settings[BEFORE]}`;
    return `${refused}, which is too far from the broker's clock${which}. Set the clock of this machine and of the brokers`;
  }
  const aheadMs = timestampMs - nowMs;
  const setting = aheadMs > 0 ? AFTER : BEFORE;
  const takes = settings?.[setting] === undefined ? '' : `; the topic has ${setting}=${settings[setting]}`;
  const apart = `${durationOf(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} the broker's, ${timeOf(nowMs)}`;
  const raised = alterCommand(topic, { [setting]: String(24 * 3_600_000) });
  const remedy =
    Math.abs(aheadMs) < APART_MS_MIN
      ? `The clocks agree, and the topic leaves no room: ${raised}`
      : `Set the clock that is wrong. If both are right, have the topic take such records: ${raised}`;
  return `${refused}: the clock of this machine is ${apart}${takes}. ${remedy}`;
}

/**
 * Returns the broker's clock. A broker does not tell it, but the message of this error has the range of times that it takes:
 * `[now - before, now + after]`, of which one may have overflowed.
 */
function brokerNowMs(said: string, settings: Readonly<Record<string, string>> | null): number | null {
  const range = /\[(-?\d+), (-?\d+)\]/.exec(said);
  if (range === null) return null;
  const [, lower, upper] = range;
  // Without the settings, that which a broker has by itself is the best guess.
  const candidates = [
    BigInt(lower!) + integerOf(settings?.[BEFORE], 2n ** 63n - 1n),
    BigInt(upper!) - integerOf(settings?.[AFTER], 3_600_000n),
  ];
  const found = candidates.map(Number).find((ms) => ms > PLAUSIBLE_MS.from && ms < PLAUSIBLE_MS.to);
  return found ?? null;
}

function integerOf(text: string | undefined, fallback: bigint): bigint {
  return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : fallback;
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** Such as `3 min` or `2 h 5 min`. */
export function durationOf(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 2) return `${Math.round(ms / 1_000)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
}
