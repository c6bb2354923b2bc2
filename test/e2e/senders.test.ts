import { afterAll, beforeAll, expect, it } from 'vitest';
import { senders } from '../senders/all-senders.ts';
import { tryOut } from '../senders/trial.ts';
import { TrialSystem } from '../senders/trial-system.ts';

/** A minute on a machine that has nothing else to do. */
const TRIAL_MS_MAX = 540_000;

let system: TrialSystem;
beforeAll(async () => {
  system = await TrialSystem.start();
});
afterAll(() => system?.[Symbol.asyncDispose]());

/** The same with ten times the events and two cuts each, and with the Collector: `npm run senders`. */
it('takes each event of the usual senders once, while the broker is cut off and ingest is killed', async () => {
  const events = 10_000;
  const rows = await tryOut(system, senders, {
    ...{ events, eventsPerSecond: 1_500, msMax: TRIAL_MS_MAX },
    blows: [
      { at: 0.2, kind: 'cut the broker' },
      { at: 0.5, kind: 'kill ingest' },
    ],
  });
  for (const { sender, verdict, passed } of rows) {
    expect([sender, verdict]).toEqual([
      sender,
      { accepted: events, doubled: 0, lost: 0, missing: 0, repeats: expect.any(Number) },
    ]);
    expect([sender, passed.answersLost]).toEqual([sender, expect.any(Number)]);
  }
  // Answers were lost, so there were repeats to be recognised.
  expect(rows.reduce((sum, { verdict }) => sum + verdict.repeats, 0)).toBeGreaterThan(0);
  const shown = await system.runlog(['show', `local/${rows[0]!.run}/default`]);
  expect([shown.code, shown.stderr]).toEqual([0, '']);
  expect(shown.stdout).toContain('STEP_DONE');
  const verified = await system.runlog(['verify']);
  expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining('equal')]);
}, 600_000);
