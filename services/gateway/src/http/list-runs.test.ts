import { expect, it } from 'vitest';
import { foldEvents, otherEvent } from '../../../../test/support/event-factory.ts';
import { listRuns, runsQuerySchema } from './list-runs.ts';

it('sorts runs by the instant at which they started, whatever form their timestamps have', () => {
  const starts = [
    '2026-01-03T23:00:00+05:00',
    '20260103T190000Z',
    '2026-01-03 20:00:00+00',
    '2026-01-03T23:30:00+03',
  ];
  const heads = new Map(
    starts.map((timestamp, at) => {
      const run_id = `r${at}`;
      return [`c1/${run_id}/default`, foldEvents([otherEvent('PROBE', { run_id, timestamp })])] as const;
    }),
  );
  const found = (query: Record<string, string>) =>
    listRuns({ heads: () => heads.entries() }, runsQuerySchema.parse(query), {
      nowMs: 0,
      maySee: () => true,
    });
  expect(found({ sort: 'started_at' }).runs.map((row) => row.run_id)).toEqual(['r0', 'r1', 'r2', 'r3']);
  expect(found({ sort: '-started_at' }).runs.map((row) => row.run_id)).toEqual(['r3', 'r2', 'r1', 'r0']);
  const first = found({ sort: 'started_at', limit: '2' });
  const rest = found({ sort: 'started_at', cursor: first.next! });
  expect(rest.runs.map((row) => row.run_id)).toEqual(['r2', 'r3']);
});
