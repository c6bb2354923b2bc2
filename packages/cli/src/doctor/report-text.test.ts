import { expect, it } from 'vitest';
import { findingsOf, reportOf, reportSchema } from './finding.ts';
import { reportText } from './report-text.ts';

const probe = findingsOf('probe');
const topics = findingsOf('topics');

it('sorts findings into their groups, with what to do beneath', () => {
  const report = reportOf([
    probe.skipped('probe', 'because --no-probe was given'),
    topics.ok('run-events', '2 partitions'),
    topics.failed('run-events: retention.ms', 'is 1, runlog sets 2', { remedy: ['kafka-configs.sh …'] }),
    topics.warning('KAFKA_X', 'KAFKA_X is not set'),
  ]);
  expect(reportSchema.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
  expect(reportText(report)).toBe(
    [
      'topics',
      '  ok    run-events: 2 partitions',
      '  FAIL  run-events: retention.ms: is 1, runlog sets 2',
      '          kafka-configs.sh …',
      '  warn  KAFKA_X is not set',
      'probe',
      '  skip  probe: because --no-probe was given',
      'FAILED: 1 ok, 1 warning, 1 failed, 1 skipped',
      '',
    ].join('\n'),
  );
});

it('does not let what others wrote act on a terminal', () => {
  const text = reportText(reportOf([topics.failed('x', 'a\u001b[2Jb', { remedy: ['c\u0007'] })]));
  expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
});

it('counts neither warnings nor what was skipped as a fault', () => {
  expect(reportOf([topics.warning('a', 'b'), probe.skipped('a', 'b')]).ok).toBe(true);
  expect(reportOf([topics.failed('a', 'b')]).ok).toBe(false);
});
