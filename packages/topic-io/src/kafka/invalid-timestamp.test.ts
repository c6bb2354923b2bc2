import { describe, expect, it } from 'vitest';
import { explainTimestamp } from './invalid-timestamp.ts';

const HOUR_MS = 3_600_000;
const nowMs = Date.parse('2026-11-28T14:00:00.000Z');
const FOREVER = '9223372036854775807';
const wrapped = (value: bigint) => BigInt.asIntN(64, value);

/** What a broker of these settings says about a record whose time it does not take. */
function explained(of: {
  aheadMs: number;
  before?: string;
  after?: string;
  settings?: Record<string, string> | null;
  said?: string;
}): string {
  const { before = FOREVER, after = String(HOUR_MS), aheadMs } = of;
  const lower = wrapped(BigInt(nowMs) - BigInt(before));
  const upper = wrapped(BigInt(nowMs) + BigInt(after));
  return explainTimestamp({
    ...{ topic: 'run-events', timestampMs: nowMs + aheadMs },
    said:
      of.said ??
      `Timestamp 1 of message with offset 0 is out of range. It should be within [${lower}, ${upper}]`,
    settings:
      of.settings === undefined
        ? { 'message.timestamp.before.max.ms': before, 'message.timestamp.after.max.ms': after }
        : of.settings,
  });
}

describe('the explanation of a timestamp that a broker refuses', () => {
  it('says by how much this machine is ahead, and which setting bounds it', () => {
    expect(explained({ aheadMs: 2 * HOUR_MS + 180_000 })).toBe(
      'the topic run-events refuses a record of 2026-11-28T16:03:00.000Z (INVALID_TIMESTAMP): the clock of this machine is ' +
        "2 h 3 min ahead of the broker's, 2026-11-28T14:00:00.000Z; the topic has message.timestamp.after.max.ms=3600000. " +
        'Set the clock that is wrong. If both are right, have the topic take such records: kafka-configs.sh ' +
        '--bootstrap-server HOST:9092 --alter --entity-type topics --entity-name run-events ' +
        '--add-config message.timestamp.after.max.ms=86400000',
    );
  });

  it('says by how much it is behind, also where the broker takes any time of the future', () => {
    const said = explained({ aheadMs: -3 * HOUR_MS, before: String(HOUR_MS), after: FOREVER });
    expect(said).toContain("3 h 0 min behind the broker's");
    expect(said).toContain('message.timestamp.before.max.ms=3600000');
  });

  it('does not blame clocks that agree', () => {
    const said = explained({ aheadMs: -40, before: '0' });
    expect(said).toContain('The clocks agree, and the topic leaves no room');
  });

  it('knows the broker’s clock without the settings, if they are the usual ones', () => {
    expect(explained({ aheadMs: 2 * HOUR_MS, settings: null })).toContain("2 h 0 min ahead of the broker's");
  });

  it('says what can be done if nothing is known of the broker’s clock', () => {
    const said = explained({ aheadMs: 2 * HOUR_MS, said: 'error 32', settings: null });
    expect(said).toContain(
      "too far from the broker's clock. Set the clock of this machine and of the brokers",
    );
  });
});
