import { expect, it } from 'vitest';
import { releaseOf, releaseText } from './broker-release.ts';

/** Fetch, ListOffsets, ApiVersions and DescribeLogDirs as brokers of these releases offer them. */
const offeredBy = (fetch: string, listOffsets: number, apiVersions: number, logDirs: number) => {
  const [minVersion = 0, maxVersion = 0] = fetch.split('-').map(Number);
  return {
    1: { minVersion, maxVersion },
    2: { minVersion: 0, maxVersion: listOffsets },
    18: { minVersion: 0, maxVersion: apiVersions },
    35: { minVersion: 0, maxVersion: logDirs },
  };
};

it.each([
  ['2.8.2', offeredBy('0-12', 6, 3, 2), '2.7 to 3.0'],
  ['3.3.2', offeredBy('0-13', 7, 3, 4), '3.1 to 3.4'],
  ['3.6.2', offeredBy('0-15', 8, 3, 4), '3.5 to 3.6'],
  ['3.9.2', offeredBy('0-17', 9, 4, 4), '3.9'],
  ['4.0.2', offeredBy('4-17', 10, 4, 4), '4.0'],
  ['4.1.2', offeredBy('4-18', 10, 4, 4), '4.1'],
  ['4.2.1', offeredBy('4-18', 11, 4, 4), '4.2'],
  ['4.3.1', offeredBy('4-18', 11, 4, 5), '4.3'],
  ['4.4.0', offeredBy('4-18', 11, 5, 5), '4.4 or newer'],
])('tells %s by what it offers', (_, offered, text) => {
  expect(releaseText(releaseOf(offered)!)).toBe(text);
});

it('knows no release that is too old', () => {
  expect(releaseOf(offeredBy('0-10', 4, 2, 1))).toBeNull();
});
