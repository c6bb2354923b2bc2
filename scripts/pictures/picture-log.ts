import { encodeEvent } from '@runlog/records/event-record';
import { eventTopicSettings, topicNames } from '@runlog/schema/log/topics';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import { silentLogger } from '../../test/support/silent-logger.ts';
import type { MadeRun } from './picture-runs.ts';

const PARTITIONS = 4;
const RETENTION_HOURS = 720;
const APPENDED_AT_ONCE = 1_000;

/** Writes an embedded log that holds what the runs have sent, in the order in which it was received. */
export async function writePictureLog(folder: string, runs: readonly MadeRun[]): Promise<void> {
  await using io = await openEmbedded({ folder, logger: silentLogger });
  const { events } = topicNames('');
  await io.ensureTopics([{ name: events, partitions: PARTITIONS, ...eventTopicSettings(RETENTION_HOURS) }]);
  await using writer = await io.writer();
  const lanes: RecordToAppend[][] = Array.from({ length: PARTITIONS }, () => []);
  const sent = runs.flatMap((run) => run.sent).sort((a, b) => a.atMs - b.atMs);
  for (const { clusterId, event, text, atMs } of sent) {
    const record = encodeEvent(event, {
      clusterId,
      value: Buffer.from(text.replace(/\bNaN\b/g, '"NaN"')),
      receivedAt: new Date(atMs).toISOString(),
      receivedAtMs: atMs,
    });
    lanes[partitionOf(record.key, PARTITIONS)]!.push(record);
  }
  for (const [partition, lane] of lanes.entries()) {
    for (let from = 0; from < lane.length; from += APPENDED_AT_ONCE) {
      const records = lane.slice(from, from + APPENDED_AT_ONCE);
      const { fault } = await writer.append({ topic: events, partition, records });
      if (fault !== undefined) throw fault;
    }
  }
}
