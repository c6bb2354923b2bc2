import { expect, it } from 'vitest';
import { entryOf } from '../../../../test/support/entry-factory.ts';
import { pageCase } from '../../../../test/support/page-cases.ts';
import { copyText, detailsText, rawLine } from './copy.ts';
import { LogRows } from './log-rows.ts';

function copied(entries: Parameters<LogRows['add']>[0], open: readonly string[] = []): string[] {
  const log = new LogRows();
  log.add(entries);
  for (const id of open) log.toggle(id);
  return copyText(log.rows).split('\n');
}

const epoch = (seq: number, val_accuracy: number) => entryOf({ seq, env_id: seq, values: { val_accuracy } });

it('writes one line a row, with the full time and the seq, and without headings', () => {
  const pruned = entryOf({
    ...{ seq: 4, event_type: 'SEED_PRUNED', message: 'Pruned', env_id: 2, severity: 'warning' },
    metadata: { event_id: 'e', slot_id: 'r0c1', reason: 'stagnation' },
  });
  expect(copied([epoch(1, 83.8), epoch(2, 84.1), pruned])).toEqual([
    '2026-01-03 23:59:47Z  2 env  EPOCH  ×2 83.8 … 84.1%  seq 1–2',
    '2026-01-03 23:59:47Z  e02  r0c1  PRUNE  WARNING stagnation  seq 4',
  ]);
});

it('writes an open row and its events', () => {
  expect(copied([epoch(1, 83.8), epoch(2, 84.1)], ['r1'])).toEqual([
    '2026-01-03 23:59:47Z  2 env  EPOCH  ×2 83.8 … 84.1%  seq 1–2',
    '2026-01-03 23:59:47Z  e01  EPOCH  83.8%  seq 1',
    '2026-01-03 23:59:47Z  e02  EPOCH  84.1%  seq 2',
  ]);
});

it('keeps text of others in its line and in its direction', () => {
  const broken = entryOf({
    seq: 1,
    event_type: 'LOG_RECORD',
    message: 'a\tb\nc\u001b[31m\u2028d',
    env_id: null,
  });
  const [line, ...others] = copied([broken]);
  expect(others).toEqual([]);
  for (const cut of ['\t', '\n', '\u001b', '\u2028']) expect(line).not.toContain(cut);
  expect(copied(pageCase('direction-override'))[0]).not.toContain('\u202e');
});

it('writes gaps', () => {
  const gap = {
    kind: 'gap',
    id: 'g',
    after: 7,
    emitterId: 'e1',
    from: 812,
    to: 848,
    count: 37,
    sinceMs: 0,
  } as const;
  expect(copyText([{ ...gap, cause: 'numbers', missing: 12, state: 'waiting', reason: null }])).toBe(
    '--  numbers 812–848 of emitter e1: 12 missing, waiting  behind seq 7',
  );
  expect(
    copyText([{ ...gap, cause: 'stream', missing: null, state: 'not_coming', reason: 'too_many' }]),
  ).toBe('--  an unknown number of the events 812–848 were not shown  behind seq 7');
});

it('writes a row of the raw table as one line, with the rest as JSON, whatever its texts', () => {
  const line = rawLine(
    entryOf({
      ...{ seq: 1_234, message: 'two\nlines \u202e', env_id: 2, values: { val_accuracy: 83.1 } },
      metadata: { event_id: 'x', note: 'a\nb' },
    }),
  );
  expect(line).toBe(
    '2026-01-03T23:59:47.900000+00:00  EPOCH_COMPLETED  e02  ep 0  two␊lines <202E>  {"note":"a\\nb","val_accuracy":83.1}  seq 1234',
  );
});

it('tells the rest of an event as name=value, without its id', () => {
  const entry = entryOf({
    metadata: { event_id: 'x', slot_id: 'r0c1' },
    values: { passed: true, loss: 0.5 },
  });
  expect(detailsText(entry)).toBe('slot_id=r0c1 passed=true loss=0.5');
});
