import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import type { DiskEvent, Recording } from './recording.ts';

/** For machines without strace. `npm run power-loss -- --keep` makes them anew. */
export const keptPath = fileURLToPath(new URL('../fixtures/power-loss/recordings.json.br', import.meta.url));

export function packRecordings(recordings: readonly Recording[]): Buffer {
  const text = JSON.stringify(recordings, (_, value: unknown) => {
    const { type, data } = (value ?? {}) as { type?: unknown; data?: number[] };
    return type === 'Buffer' ? { base64: Buffer.from(data!).toString('base64') } : value;
  });
  const params = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 };
  return brotliCompressSync(text, { params });
}

export async function readKeptRecordings(): Promise<Recording[]> {
  const packed = JSON.parse(brotliDecompressSync(await readFile(keptPath)).toString()) as Recording[];
  return packed.map((recording) => ({ ...recording, events: recording.events.map(unpackEvent) }));
}

function unpackEvent(event: DiskEvent): DiskEvent {
  if (event.kind !== 'write' && event.kind !== 'durable-write') return event;
  const { base64 } = event.bytes as unknown as { base64: string };
  return { ...event, bytes: Buffer.from(base64, 'base64') };
}
