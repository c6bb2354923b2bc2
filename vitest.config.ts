import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

/** How long a condition may take to come about. Nobody waits for it where all is well; a busy machine is no failure. */
const poll = { timeout: 60_000, interval: 20 };

/** Files at a time, on the two cores of CI. By itself vitest leaves one core idle, so there it would run one at a time. */
const maxWorkers = 2;

/**
 * `unit` needs nothing, nor does `simulation` (seeded histories in virtual time, a minute).
 * `integration` starts a real broker once (test/support/broker.ts) and real processes.
 */
export default defineConfig({
  test: {
    // A broker in a container takes its time to stop.
    teardownTimeout: 60_000,
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/support/closing-line-reporter.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          sequence: { groupOrder: 0 },
          maxWorkers,
          // The files of a worker share what they import: to start and load anew for each costs more than its tests.
          isolate: false,
          unstubGlobals: true,
          // Far above what any takes, as all deadlines here.
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: { poll },
          include: [
            'packages/*/src/**/*.test.ts',
            'services/*/{src,web}/**/*.test.{ts,tsx}',
            'test/unit/**/*.test.ts',
          ],
        },
      },
      {
        test: {
          name: 'simulation',
          sequence: { groupOrder: 0 },
          maxWorkers,
          include: ['test/simulation/**/*.test.ts'],
          testTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'integration',
          // Alone: processes that are killed and timed do not share the cores with the simulation.
          sequence: { groupOrder: 1 },
          include: ['test/{contract,conformance,e2e,browser,chaos}/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          expect: { poll },
          // They wait for processes, brokers and browsers a third of their time, so two files leave the cores idle.
          maxWorkers: 3,
        },
      },
    ],
  },
});
