import { COMPRESSIONS, type Compression, compressionFault } from '@runlog/topic-io/compression';
import type { NewestBatch } from '@runlog/topic-io/kafka/newest-batches';
import { type Finding, findingsOf } from './finding.ts';

const { ok, warning, failed } = findingsOf('codecs');

/** Which codecs this build has on this machine, and which of them ingest writes with. */
export function judgeLibraries(writes: string | undefined, engine: 'embedded' | 'kafka'): Finding[] {
  const missing = COMPRESSIONS.map((codec) => ({ codec, fault: compressionFault(codec) })).filter(
    ({ fault }) => fault !== null,
  );
  const findings = missing.map(({ codec, fault }) =>
    failed(codec, `batches in ${codec} cannot be read: ${fault}`),
  );
  if (missing.length === 0)
    findings.push(ok('libraries', `this machine reads ${COMPRESSIONS.slice(1).join(', ')}`));
  if (writes === undefined || writes === 'none') return findings;
  if (engine === 'embedded') {
    return [...findings, warning('RUNLOG_COMPRESSION', `${writes} has no effect on the embedded log`)];
  }
  return [...findings, ok('RUNLOG_COMPRESSION', `ingest compresses with ${writes}`)];
}

/** Judges what really lies at the ends of the partitions of a topic. */
export function judgeBatches(topic: string, batches: readonly NewestBatch[]): Finding[] {
  const unreadable = batches.filter(({ fault }) => fault !== null);
  const found = unreadable.map(({ partition, offset, fault }) =>
    failed(
      `${topic}/${partition}`,
      `the newest batch, at offset ${offset}, ${fault}; docs/operations.md, "A batch cannot be read"`,
      { details: { topic, partition, offset } },
    ),
  );
  const readable = batches.filter(({ fault }) => fault === null);
  if (batches.length === 0) return [ok(topic, 'there are no batches yet')];
  if (readable.length === 0) return found;
  const counts = COMPRESSIONS.map(
    (codec) => [codec, readable.filter((batch) => batch.codec === codec).length] as const,
  )
    .filter(([, count]) => count > 0)
    .map(([codec, count]) => `${nameOf(codec)} in ${count}`);
  const message = `the newest batches can be read: ${counts.join(', ')} of ${batches.length} partitions with events`;
  return [
    ...found,
    ok(topic, message, { details: { codecs: [...new Set(readable.map(({ codec }) => codec))] } }),
  ];
}

/** The broker may compress what a producer did not. */
export function judgeCompressionType(topic: string, setting: string | undefined): Finding[] {
  if (setting === undefined || setting === 'producer') return [];
  const isKnown = setting === 'uncompressed' || COMPRESSIONS.some((codec) => codec === setting);
  return [(isKnown ? ok : warning)(`${topic}: compression.type`, `the broker compresses anew: ${setting}`)];
}

function nameOf(codec: Compression): string {
  return codec === 'none' ? 'uncompressed' : codec;
}
