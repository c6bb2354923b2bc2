import { EVENTS_TOPIC_BYTES_MIN, SNAPSHOT_RECORD_BYTES_MAX } from '@runlog/schema/limits';
import { snapshotTopicSettings } from '@runlog/schema/log/topics';
import { z } from 'zod';

type Settings = Readonly<Record<string, string>>;

/** Returns what is wrong with a value of the setting; null if nothing is. */
type Rule = (value: string) => string | null;

const atLeast =
  (min: number, why: string): Rule =>
  (value) =>
    Number(value) >= min || value === '-1' ? null : `must be ${min} or more: ${why}`;
const only =
  (due: string, why: string): Rule =>
  (value) =>
    value === due ? null : `must be ${due}: ${why}`;

const EVENTS_FIT = 'otherwise most events would be rejected';
const SNAPSHOTS_FIT = 'otherwise some runs could not be stored';

/** What the events topic cannot do without. */
export const eventsTopicRules: Readonly<Record<string, Rule>> = {
  'cleanup.policy': only('delete', 'compaction would keep one event of each run'),
  'max.message.bytes': atLeast(EVENTS_TOPIC_BYTES_MIN, EVENTS_FIT),
  'segment.bytes': atLeast(EVENTS_TOPIC_BYTES_MIN, EVENTS_FIT),
};

/** What the topics of snapshots and figures cannot do without. */
export const snapshotsTopicRules: Readonly<Record<string, Rule>> = {
  'cleanup.policy': only('compact', 'deletion by age would lose runs'),
  'max.message.bytes': atLeast(SNAPSHOT_RECORD_BYTES_MAX, SNAPSHOTS_FIT),
  'segment.bytes': atLeast(SNAPSHOT_RECORD_BYTES_MAX, SNAPSHOTS_FIT),
  'delete.retention.ms': atLeast(
    Number(snapshotTopicSettings().settings['delete.retention.ms']),
    'otherwise a reader could miss that a run was retired',
  ),
  'remote.storage.enable': only('false', 'Kafka has no tiered storage for compacted topics'),
};

/** The name of a setting: Kafka's own, or one that only some kinds of brokers know. */
const NAME = /^[A-Za-z][A-Za-z0-9._-]*$/;

/**
 * The settings of a topic as `kafka-configs.sh --add-config` takes them: `retention.ms=1000,segment.bytes=1048576`. A value
 * with commas is in brackets: `leader.replication.throttled.replicas=[0:1,1:1]`. Every fault is an issue of its own.
 */
export function topicConfig(rules: Readonly<Record<string, Rule>>) {
  return z.string().transform((text, context): Settings => {
    const settings: Record<string, string> = {};
    const fault = (message: string) => context.addIssue({ code: 'custom', message });
    for (const entry of entriesOf(text)) {
      const { name, value, message } = settingOf(entry);
      if (message !== null) fault(message);
      else if (name in settings) fault(`has ${name} twice`);
      else {
        settings[name] = value;
        const broken = Object.hasOwn(rules, name) ? rules[name]!(value) : null;
        if (broken !== null) fault(`${name} ${broken}`);
      }
    }
    return settings;
  });
}

/** Splits at the commas that are not in brackets. */
function entriesOf(text: string): string[] {
  const entries = text.match(/(?:\[[^\]]*\]|[^,])+/g) ?? [];
  return entries.map((entry) => entry.trim()).filter((entry) => entry !== '');
}

function settingOf(entry: string): { name: string; value: string; message: string | null } {
  const at = entry.indexOf('=');
  const name = entry.slice(0, Math.max(at, 0)).trim();
  const value = entry
    .slice(at + 1)
    .trim()
    .replace(/^\[(.*)\]$/, '$1');
  if (at === -1) return { name, value, message: `must be name=value,name=value: "${entry}" has no "="` };
  if (!NAME.test(name))
    return { name, value, message: `must be name=value,name=value: "${name}" is no name` };
  return { name, value, message: value === '' ? `has no value for ${name}` : null };
}
