import type { TopicFacts } from '@runlog/topic-io/kafka/inspect-topic';
import { durationOf } from '@runlog/topic-io/kafka/invalid-timestamp';
import { type AdminAccess, alterCommand } from '@runlog/topic-io/topic-settings';
import { type Finding, findingsOf } from './finding.ts';

const { ok, warning, failed } = findingsOf('clock');

const AFTER = 'message.timestamp.after.max.ms';
const BEFORE = 'message.timestamp.before.max.ms';
/** Clocks that somebody sets differ by less. */
const APART_MS_MAX = 2_000;
/** A topic that leaves less room refuses events of a machine whose clock is only a little off. */
const ROOM_MS_MIN = 10_000;
const DAY_MS = 86_400_000;

/** A record that was sent, and when, by the clock of this machine. */
export interface SentRecord {
  readonly key: string;
  readonly partition: number;
  readonly sentMs: number;
  readonly answeredMs: number;
}

/** How far this machine's clock is ahead of that of a partition's leader. It may be wrong by `boundMs` either way. */
export interface ClockReading {
  readonly partition: number;
  readonly aheadMs: number;
  readonly boundMs: number;
}

/**
 * Compares clocks by records that brokers dated themselves: each was dated between its sending and its answer. The quickest
 * of each partition says most.
 */
export function clockSamples(
  sent: readonly SentRecord[],
  dated: readonly { readonly key: string; readonly timestampMs: number }[],
): ClockReading[] {
  const datedMs = new Map(dated.map(({ key, timestampMs }) => [key, timestampMs]));
  const best = new Map<number, ClockReading>();
  for (const { key, partition, sentMs, answeredMs } of sent) {
    const brokerMs = datedMs.get(key);
    if (brokerMs === undefined) continue;
    const boundMs = Math.ceil((answeredMs - sentMs) / 2) + 1;
    const aheadMs = Math.round((sentMs + answeredMs) / 2 - brokerMs);
    if (boundMs < (best.get(partition)?.boundMs ?? Number.POSITIVE_INFINITY)) {
      best.set(partition, { partition, aheadMs, boundMs });
    }
  }
  return [...best.values()];
}

/** `leaders` has the broker that led each partition of the probe, as far as that is known. */
export function judgeClocks(
  readings: readonly ClockReading[],
  of: {
    readonly leaders: ReadonlyMap<number, number>;
    readonly topics: readonly TopicFacts[];
    readonly access: AdminAccess;
  },
): Finding[] {
  const ofBroker = new Map<string, ClockReading>();
  for (const reading of readings) {
    const leader = of.leaders.get(reading.partition);
    const broker = leader === undefined ? `partition ${reading.partition}` : `broker ${leader}`;
    const known = ofBroker.get(broker);
    if (known === undefined || reading.boundMs < known.boundMs) ofBroker.set(broker, reading);
  }
  const inOrder = [...ofBroker].sort(([one], [other]) => (one < other ? -1 : 1));
  return inOrder.flatMap(([broker, reading]) => judgeReading(broker, reading, of));
}

function judgeReading(
  broker: string,
  { aheadMs, boundMs }: ClockReading,
  { topics, access }: { readonly topics: readonly TopicFacts[]; readonly access: AdminAccess },
): Finding[] {
  const details = { aheadMs, boundMs };
  const direction = aheadMs >= 0 ? 'ahead of' : 'behind';
  const apart = `the clock of this machine is ${text(Math.abs(aheadMs))} ${direction} that of ${broker}, give or take ${text(boundMs)}`;
  const surelyMs = Math.max(Math.abs(aheadMs) - boundMs, 0);
  const setting = aheadMs >= 0 ? AFTER : BEFORE;
  const narrow = topics.flatMap((topic) => {
    if (topic.kind !== 'found' || topic.settings?.['message.timestamp.type'] === 'LogAppendTime') return [];
    const roomMs = Number(topic.settings?.[setting] ?? Number.NaN);
    return surelyMs > 0 && roomMs <= surelyMs * 2 ? [{ name: topic.name, roomMs }] : [];
  });
  const full = narrow.filter(({ roomMs }) => roomMs <= surelyMs);
  if (full.length > 0) {
    const names = full.map(({ name, roomMs }) => `${name} (${setting}=${roomMs})`).join(', ');
    const message = `${apart}: records of this machine are refused (INVALID_TIMESTAMP) by ${names}. Set the clock that is wrong. If both are right, have the topics take such records`;
    return [
      failed(broker, message, { details, remedy: full.map(({ name }) => raise(name, setting, access)) }),
    ];
  }
  if (surelyMs > APART_MS_MAX || narrow.length > 0) {
    const near = narrow
      .map(({ name, roomMs }) => `; ${name} takes no more than ${roomMs} ms (${setting})`)
      .join('');
    return [warning(broker, `${apart}${near}. Set the clock that is wrong`, { details })];
  }
  return [ok(broker, apart, { details })];
}

/** Judges the room that topics leave for clocks that differ, whatever they show now. */
export function judgeRoom(topics: readonly TopicFacts[], access: AdminAccess): Finding[] {
  return topics.flatMap((topic) => {
    if (topic.kind !== 'found' || topic.settings?.['message.timestamp.type'] === 'LogAppendTime') return [];
    return [AFTER, BEFORE].flatMap((setting) => {
      const room = topic.settings?.[setting];
      if (room === undefined || Number(room) >= ROOM_MS_MIN) return [];
      const message = `${setting}=${room} refuses what a machine writes whose clock is off by more`;
      return [
        warning(`${topic.name}: ${setting}`, message, { remedy: [raise(topic.name, setting, access)] }),
      ];
    });
  });
}

function raise(topic: string, setting: string, access: AdminAccess): string {
  return alterCommand(topic, { [setting]: String(DAY_MS) }, access);
}

function text(ms: number): string {
  if (ms < 1_000) return `${ms} ms`;
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : durationOf(ms);
}
