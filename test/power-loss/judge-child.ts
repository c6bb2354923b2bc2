import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
import { judgeSeed } from './judge.ts';
import type { Recording } from './recording.ts';

/** Judges one point after the other in a process of its own, because a damaged file may kill it. */
const [recordingsPath, scratch] = process.argv.slice(2) as [string, string];
const recordings = deserialize(readFileSync(recordingsPath)) as Recording[];

process.on('message', ({ seed }: { seed: number }) => {
  const recording = recordings[seed % recordings.length]!;
  judgeSeed(recording, seed, { scratch }).then(
    (verdict) => process.send!(verdict),
    (error: unknown) => {
      throw error;
    },
  );
});
process.send!({ ready: true });
