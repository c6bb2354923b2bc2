import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { decodeRunRecord } from '@runlog/records/run-record';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import { describe, expect, it } from 'vitest';
import { recording } from '../../../test/support/recordings.ts';
import { evolve } from './evolve.ts';

/**
 * What this version of the fold makes of the recordings, byte for byte, kept for ever. Stored snapshots of running
 * systems are such bytes: if one of these differs, `FOLD_VERSION` must grow, and a new golden file joins the old ones
 * (UPDATE_GOLDEN=1 writes the file of a version that has none).
 */
function foldOf(name: 'short' | 'one-env'): string {
  let state: RunSnapshot | null = null;
  for (const [offset, line] of recording(name).lines.entries()) {
    const receivedAtMs = 1_767_484_800_000 + offset * 250;
    const record = decodeRunRecord(
      {
        offset,
        key: `c1/${name}/default`,
        value: Buffer.from(line.replace(/\bNaN\b/g, '"NaN"')),
        headers: { received_at: new Date(receivedAtMs).toISOString() },
        timestampMs: receivedAtMs,
      },
      'golden',
    );
    if (record.kind === 'unfoldable') throw new Error(record.reason);
    state = evolve(state, record);
  }
  return `${JSON.stringify(state)}\n`;
}

describe('the fold', () => {
  it.each(['short', 'one-env'] as const)('gives the bytes of its version for %s', (name) => {
    const file = new URL(`../../../test/fixtures/golden/${name}.fold-${FOLD_VERSION}.json`, import.meta.url);
    if (!existsSync(file) && process.env.UPDATE_GOLDEN === '1') writeFileSync(file, foldOf(name));
    expect(foldOf(name)).toBe(readFileSync(file, 'utf8'));
  });
});
