import { defineConfig } from 'vitest/config';

/**
 * `unit` needs nothing, nor does `simulation` (seeded histories in virtual time, a minute or two).
 * `integration` starts a real broker once (test/support/broker.ts) and real processes.
 */
export default defineConfig({
  test: {
    reporters: ['default', './test/support/closing-line-reporter.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          sequence: { groupOrder: 0 },
          // Far above what any takes; a busy machine is no failure.
          testTimeout: 30_000,
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
          sequence: { groupOrder: 1 },
          include: ['test/simulation/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'integration',
          // Alone: processes that are killed and timed do not share the cores with the simulation.
          sequence: { groupOrder: 2 },
          include: ['test/{contract,e2e,browser,chaos}/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          // Two cores: more workers than that only make real processes time out.
          maxWorkers: 2,
        },
      },
    ],
  },
});
