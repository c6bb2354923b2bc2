import type { Reporter, TestModule } from 'vitest/node';

/**
 * Prints the closing line `N passed, N failed`, and fails the run if a suite did not run. Otherwise a file without a
 * test, a file that failed while it was collected, or a skipped test would look green.
 */
export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let failed = 0;
    const notRun: string[] = [];
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      if (tests.length === 0) notRun.push(module.relativeModuleId);
      for (const test of tests) {
        const { state } = test.result();
        if (state === 'passed') passed += 1;
        else if (state === 'failed') failed += 1;
        else notRun.push(`${module.relativeModuleId} > ${test.fullName}`);
      }
    }
    const lost = notRun.length + unhandledErrors.length;
    if (lost > 0 || passed === 0) process.exitCode = 1;
    for (const name of notRun) process.stdout.write(`did not run: ${name}\n`);
    process.stdout.write(`\n${passed} passed, ${failed + lost} failed\n`);
  }
}
