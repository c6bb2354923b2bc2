import type { Logger } from '@runlog/topic-io/logger';
import { type TopicDescription, type TopicIo, TopicIoError, type TopicSpec } from '@runlog/topic-io/topic-io';
import { alterCommand, batchBoundOf } from '@runlog/topic-io/topic-settings';

/** A setting of an existing topic that differs from what runlog would create the topic with. */
export interface SettingDifference {
  readonly setting: string;
  readonly wanted: string;
  readonly found: string;
  /** Whether it can cost acknowledged events, or what is made of them. */
  readonly grave: boolean;
}

/** What a service needs of a topic that it writes. */
export interface CheckedTopic extends TopicSpec {
  /** The start is refused if the topic takes less. */
  readonly recordBytesMin: number;
}

/** Settings whose lower value is the graver one. For any others that are grave, every difference counts. */
const GRAVE_IF_LOWER = new Set([
  'retention.ms',
  'delete.retention.ms',
  'min.compaction.lag.ms',
  'max.message.bytes',
  'min.insync.replicas',
]);
const GRAVE = new Set(['cleanup.policy', 'retention.bytes', 'unclean.leader.election.enable']);

/** Compares the settings that runlog sets; all others are the cluster's own affair. */
export function differencesOf(spec: TopicSpec, found: TopicDescription): SettingDifference[] {
  const wanted: Record<string, string> = { 'cleanup.policy': spec.cleanupPolicy, ...spec.settings };
  const differences: SettingDifference[] = [];
  for (const [setting, value] of Object.entries(wanted)) {
    const present = found.settings[setting];
    const due = setting === 'min.insync.replicas' ? atMost(value, found.replicationFactor) : value;
    if (present === undefined || present === due || Number(present) === Number(due)) continue;
    const grave = GRAVE.has(setting) || (GRAVE_IF_LOWER.has(setting) && isLower(present, due));
    differences.push({ setting, wanted: due, found: present, grave });
  }
  return differences;
}

/**
 * Checks topics that may have been made by hand. Rejects with `unusable` if one of them takes less than what must be
 * written to it. Any other difference is said once, with the command that mends it; nothing is changed.
 */
export async function checkTopics(
  io: TopicIo,
  options: { topics: readonly CheckedTopic[]; logger: Logger },
): Promise<void> {
  for (const spec of options.topics) {
    const found = await io.describeTopic(spec.name);
    if (found === null) continue;
    refuseSmall(found, spec.recordBytesMin);
    const differences = differencesOf(spec, found);
    if (differences.length === 0) continue;
    const command = alterCommand(
      spec.name,
      Object.fromEntries(differences.map(({ setting, wanted }) => [setting, wanted])),
    );
    const level = differences.some(({ grave }) => grave) ? 'warn' : 'info';
    options.logger[level](
      { topic: spec.name, differences, ...(io.engine === 'kafka' && { command }) },
      'the existing topic has other settings than runlog creates it with, and keeps them',
    );
  }
}

/** Throws `unusable` if the topic takes less than so many bytes at once. */
export function refuseSmall({ name, settings }: TopicDescription, recordBytesMin: number): void {
  const { bytesMax, setting } = batchBoundOf(settings);
  if (setting === null || bytesMax >= recordBytesMin) return;
  throw new TopicIoError(
    'unusable',
    `${name} takes records of at most ${bytesMax} bytes (${setting}), and those that go there may have ` +
      `${recordBytesMin}. Raise it: ${alterCommand(name, { [setting]: String(1024 * 1024) })}`,
  );
}

function atMost(value: string, max: number): string {
  return max > 0 && Number(value) > max ? String(max) : value;
}

/** -1 means without end. */
function isLower(value: string, than: string): boolean {
  const [one, other] = [value, than].map((text) => (text === '-1' ? Number.POSITIVE_INFINITY : Number(text)));
  return one! < other!;
}
