import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ConfigError, readConfig } from './read-config.ts';
import { eventsTopicRules, snapshotsTopicRules, topicConfig } from './topic-config.ts';

const schema = z.object({
  EVENTS: topicConfig(eventsTopicRules).optional(),
  SNAPSHOTS: topicConfig(snapshotsTopicRules).optional(),
});

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(schema, env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

describe('the settings of a topic in a variable', () => {
  it('are read as kafka-configs.sh takes them', () => {
    const text =
      ' retention.ms=1000, segment.bytes=1048576,diskless.enable=true,follower.replicas=[0:1,1:2],a=b=c,';
    expect(readConfig(schema, { EVENTS: text }).EVENTS).toEqual({
      'retention.ms': '1000',
      'segment.bytes': '1048576',
      'diskless.enable': 'true',
      'follower.replicas': '0:1,1:2',
      a: 'b=c',
    });
  });

  it('are refused with every fault at once', () => {
    const env = {
      EVENTS: 'retention.ms,=5,segment.ms=,retention.ms=1,retention.ms=2,cleanup.policy=[compact,delete]',
      SNAPSHOTS:
        'cleanup.policy=delete,max.message.bytes=16384,delete.retention.ms=1,remote.storage.enable=true',
    };
    expect(faultsOf(env).map((fault) => fault.replace(/ \(is ".*"\)$/, ''))).toEqual([
      'EVENTS must be name=value,name=value: "retention.ms" has no "="',
      'EVENTS must be name=value,name=value: "" is no name',
      'EVENTS has no value for segment.ms',
      'EVENTS has retention.ms twice',
      'EVENTS cleanup.policy must be delete: compaction would keep one event of each run',
      'SNAPSHOTS cleanup.policy must be compact: deletion by age would lose runs',
      'SNAPSHOTS max.message.bytes must be 528384 or more: otherwise some runs could not be stored',
      'SNAPSHOTS delete.retention.ms must be 86400000 or more: otherwise a reader could miss that a run was retired',
      'SNAPSHOTS remote.storage.enable must be false: Kafka has no tiered storage for compacted topics',
    ]);
  });
});
