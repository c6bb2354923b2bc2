import { readFileSync } from 'node:fs';

/** Batches as a broker stored them for another client: `scripts/record-batches.ts` makes them anew. */
export const RECORDED_CLIENTS = ['java', 'librdkafka'] as const;
export const RECORDED_COMPRESSIONS = ['gzip', 'snappy', 'lz4', 'zstd'] as const;

export interface RecordedRecord {
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timestampMs: number;
}

/** The records in each recording, more than one block of every format. The Java producer sets times of its own. */
export function recordedRecords(): RecordedRecord[] {
  return Array.from({ length: 300 }, (_, index) => ({
    key: `c1/run-${index % 7}/default`,
    value: JSON.stringify({
      event_type: 'EPOCH_COMPLETED',
      event_id: `recorded-${index}`,
      data: { epoch: index, val_accuracy: (index * 7919) % 1_000, note: 'é'.repeat(index % 40) },
      rest: 'x'.repeat(200),
    }),
    headers: { event_type: 'EPOCH_COMPLETED', event_id: `recorded-${index}` },
    timestampMs: 1_764_000_000_000 + index * 10,
  }));
}

export function recordingFile(client: string, compression: string): URL {
  return new URL(`../fixtures/batches/${client}-${compression}.bin`, import.meta.url);
}

export function recordedBatch(client: string, compression: string): Buffer {
  return readFileSync(recordingFile(client, compression));
}
