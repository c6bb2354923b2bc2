import { describe, expect, it } from 'vitest';
import { deliveredEntry } from '../../../test/support/entry-factory.ts';
import { entriesText, entryLine } from './entry-text.ts';

describe('a line of the event log', () => {
  it('shows the values of an event instead of a message that repeats its type', () => {
    const entry = deliveredEntry({ values: { val_accuracy: 61.5, val_loss: 1.0400000000000003 } });
    expect(entryLine(entry)).toBe('23:59:47  EPOCH_COMPLETED        00  val_accuracy 61.5, val_loss 1.04');
  });

  it('shows the message, the metadata and then the values', () => {
    const entry = deliveredEntry({
      event_type: 'SEED_GERMINATED',
      message: 'Germinated',
      metadata: { slot_id: 'r0c0' },
      values: { params: 1000, is_first: true, note: 'two words', none: '' },
    });
    expect(entryLine(entry)).toBe(
      '23:59:47  SEED_GERMINATED        00  Germinated  slot_id r0c0, params 1000, is_first true, note "two words", none ""',
    );
  });

  it.each([
    ['debug', '23:59:47  LOG                    --  disk is full'],
    ['info', '23:59:47  LOG                    --  disk is full'],
    ['warning', '23:59:47  LOG                    --  WARNING  disk is full'],
    ['error', '23:59:47  LOG                    --  ERROR  disk is full'],
    ['critical', '23:59:47  LOG                    --  CRITICAL  disk is full'],
  ] as const)('says the severity %s if it is a warning or worse', (severity, line) => {
    const entry = deliveredEntry({ event_type: 'LOG', env_id: null, message: 'disk is full', severity });
    expect(entryLine(entry)).toBe(line);
  });

  it('lets no control character and no change of direction through', () => {
    const values = { 'a\u001b[2Jb': 'x\u202ey', 'c\u2066d': 'line\nbreak\u2028s', e: '\u009b31m' };
    const line = entryLine(deliveredEntry({ event_type: 'T\u0007', message: '\u001b]0;x\u0007', values }));
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(line).toContain('a�[2Jb x�y');
  });
});

describe('the table of entries', () => {
  it('has no column of severities while all are info', () => {
    const text = entriesText([deliveredEntry({ values: { val_accuracy: 61.5 } })]);
    expect(text).toBe(
      [
        'TIME      TYPE             ENV  EP  MESSAGE          DETAILS',
        '23:59:47  EPOCH_COMPLETED  00    0  EPOCH_COMPLETED  val_accuracy 61.5',
      ].join('\n'),
    );
  });

  it('says every severity that is not info', () => {
    const severities = ['debug', 'info', 'error'] as const;
    const entries = severities.map((severity) =>
      deliveredEntry({ event_type: 'LOG', message: 'm', severity }),
    );
    const lines = entriesText(entries).split('\n');
    expect(lines).toEqual([
      'TIME      SEVERITY  TYPE  ENV  EP  MESSAGE  DETAILS',
      '23:59:47  debug     LOG   00    0  m',
      '23:59:47            LOG   00    0  m',
      '23:59:47  error     LOG   00    0  m',
    ]);
  });
});
