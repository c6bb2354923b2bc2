import type { TopicDescription, TopicSpec } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import { differencesOf, refuseSmall } from './check-topics.ts';

const spec: TopicSpec = {
  ...{ name: 'run-events', partitions: 1, cleanupPolicy: 'delete' },
  settings: { 'min.insync.replicas': '2', 'retention.ms': '1000', 'segment.ms': '5', ratio: '0.10' },
};

function found(settings: Record<string, string>, replicationFactor = 3): TopicDescription {
  const asWanted = { 'cleanup.policy': 'delete', ...spec.settings };
  return { name: spec.name, partitions: 1, replicationFactor, settings: { ...asWanted, ...settings } };
}

describe('differencesOf', () => {
  it('is empty if what runlog sets is there, however it is written, and whatever else is set', () => {
    expect(differencesOf(spec, found({ ratio: '0.1', 'compression.type': 'zstd' }))).toEqual([]);
  });

  it('names what differs, and what of it is grave', () => {
    const other = found({ 'cleanup.policy': 'compact', 'retention.ms': '10', 'segment.ms': '7' });
    expect(differencesOf(spec, other)).toEqual([
      { setting: 'cleanup.policy', wanted: 'delete', found: 'compact', grave: true },
      { setting: 'retention.ms', wanted: '1000', found: '10', grave: true },
      { setting: 'segment.ms', wanted: '5', found: '7', grave: false },
    ]);
  });

  it('knows that events which are kept for longer, or for ever, are no harm', () => {
    for (const kept of ['2000', '-1']) {
      expect(differencesOf(spec, found({ 'retention.ms': kept }))).toMatchObject([{ grave: false }]);
    }
  });

  it('does not ask for more replicas in sync than there are', () => {
    expect(differencesOf(spec, found({ 'min.insync.replicas': '1' }, 1))).toEqual([]);
    expect(differencesOf(spec, found({ 'min.insync.replicas': '1' }, 3))).toMatchObject([
      { wanted: '2', found: '1', grave: true },
    ]);
  });

  it('says nothing of settings that the cluster does not show', () => {
    const shown = { ...found({}), settings: {} };
    expect(differencesOf(spec, shown)).toEqual([]);
    expect(() => refuseSmall(shown, 1)).not.toThrow();
  });
});

describe('refuseSmall', () => {
  it('refuses by the setting that bounds a record, with the command that mends it', () => {
    const small = found({ 'max.message.bytes': '2000', 'segment.bytes': '1000' });
    expect(() => refuseSmall(small, 1000)).not.toThrow();
    expect(() => refuseSmall(small, 1001)).toThrow(
      /at most 1000 bytes \(segment.bytes\).*--entity-name run-events --add-config segment.bytes=1048576$/,
    );
  });
});
