import { beforeAll, describe, expect, it } from 'vitest';
import { readKeptRecordings } from '../power-loss/kept-recordings.ts';
import { canRecord, type DiskEvent, type Recording } from '../power-loss/recording.ts';
import { recordAll, runPowerLoss } from '../power-loss/run.ts';

/** Points of the kept recordings, chosen so that together they meet each way in which a folder was refused. */
const keptSeeds = [
  2, 5, 12, 23, 36, 109, 344, 559, 572, 641, 742, 779, 1039, 1253, 1493, 1516, 1748, 1983, 2001, 2002, 2003,
  2005, 2006, 2007, 2009, 2012, 2013, 2014, 2015, 2017, 2018, 2019, 2021, 2024, 2026, 2027, 2037, 2041, 2042,
  2045, 2046, 2049, 2054, 2055, 2075, 2087, 2089, 2159, 2172, 2175, 2191, 2271, 2350, 2450,
];
const freshPoints = 250;
const mutantPoints = 40;

const seedsFrom = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => first + index);

/** A recording of an engine that leaves out some of what ours does. */
function without(recording: Recording, isLeftOut: (event: DiskEvent) => boolean): Recording {
  return { ...recording, full: null, events: recording.events.filter((event) => !isLeftOut(event)) };
}

/** `npm run power-loss` judges a hundred thousand points. */
describe('an embedded log after a power cut', () => {
  let kept: Recording[] = [];
  beforeAll(async () => {
    kept = await readKeptRecordings();
  });

  it('has what was acknowledged, or is refused by name, at points that were kept', async () => {
    const report = await runPowerLoss({ recordings: kept, seeds: keptSeeds, processes: 2 });
    expect(report.faults).toEqual([]);
    expect(report.points).toBe(keptSeeds.length);
  });

  it('has what was acknowledged, or is refused by name, at points of today’s engine', async () => {
    // Without strace only the reading is today's.
    const recordings = canRecord() ? await recordAll({ seed: 1, count: 3 }) : kept;
    const report = await runPowerLoss({ recordings, seeds: seedsFrom(1, freshPoints), processes: 2 });
    expect(report.faults).toEqual([]);
    expect(report.points).toBe(freshPoints);
  });

  it.each<[string, (event: DiskEvent) => boolean]>([
    ['the names in the folder', ({ kind }) => kind === 'sync-folder'],
    ['the folder itself', ({ kind }) => kind === 'sync-parent'],
    ['the pages before the head', ({ kind }) => kind === 'sync-content'],
    ['the new size', (event) => event.kind === 'sync' && event.name === 'log.mdb'],
  ])('is found to be lost if the engine does not sync %s', async (_, isLeftOut) => {
    const recordings = kept.map((recording) => without(recording, isLeftOut));
    const report = await runPowerLoss({ recordings, seeds: seedsFrom(1, mutantPoints), processes: 2 });
    expect(report.faults.length).toBeGreaterThan(0);
  });
});
