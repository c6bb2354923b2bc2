import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * The files that take longest on two cores, the longest first. A fresh clone does not know how long its files took, and a
 * long one that begins last has nobody beside it.
 */
const LONGEST = [
  'simulation/histories-1',
  'simulation/histories-2',
  'simulation/mutants',
  'contract/kafka-outage',
  'chaos/chaos',
  'e2e/backpressure',
  'e2e/rebuild',
  'e2e/stream-oracle',
  'conformance/conformance',
  'e2e/python-client',
  'e2e/cli',
  'e2e/refusals',
  'e2e/mixed-builds',
  'e2e/rebuild-killed',
  'e2e/tail-killed',
  'e2e/every-frame',
  'browser/flows/killed-processes',
  'e2e/socket-byte-fuzz',
  'e2e/stream-fuzz',
  'e2e/pipeline',
  'e2e/lost-log',
];

/** Begins with the files that take longest, and leaves the others in vitest's order. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => place(a) - place(b));
  }
}

function place({ moduleId }: TestSpecification): number {
  const found = LONGEST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
  return found === -1 ? LONGEST.length : found;
}
