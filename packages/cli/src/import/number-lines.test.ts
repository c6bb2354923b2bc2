import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { insertFields } from './insert-fields.ts';
import { createLineNumberer, emitterIdOf, type NumberedLine, runIdOfFile } from './number-lines.ts';

function eventLine(overrides: Record<string, unknown> = {}): string {
  return JSON.stringify({
    event_id: 'e-1',
    event_type: 'PLATEAU_DETECTED',
    timestamp: '2026-01-03T23:59:47.900000+00:00',
    data: { env_id: 1 },
    ...overrides,
  });
}

function numbered(lines: readonly string[], recording: { groupId?: string } = {}): NumberedLine[] {
  const number = createLineNumberer({
    runId: 'recorded',
    groupId: recording.groupId,
    emitterId: emitterIdOf(Buffer.from(lines[0]!)),
  });
  return lines.map((line) => number(Buffer.from(line)));
}

function parsed(line: NumberedLine): Record<string, unknown> {
  if (line.kind !== 'event') throw new Error(`rejected: ${line.fault.message}`);
  return JSON.parse(line.bytes.toString('utf8')) as Record<string, unknown>;
}

describe('numbering of recorded lines', () => {
  test('fields are inserted after the opening brace and every other byte stays', () => {
    const line =
      '  { "event_id" :"é",\t"event_type": "X", "timestamp":"2026-01-03T23:59:47Z", "data": {"a" : 1.50e3}}';
    const [result] = numbered([line]);
    if (result?.kind !== 'event') throw new Error('rejected');
    const emitter = emitterIdOf(Buffer.from(line));
    expect(result.bytes.toString('utf8')).toBe(
      line.replace('{', `{"run_id":"recorded","emitter_id":"${emitter}","emitter_seq":1,`),
    );
  });

  test.each([
    ['2026-01-03T23:59:47+00', '2026-01-03T23:59:47Z'],
    ['20260103T235947,25+01', '2026-01-03T22:59:47.250Z'],
  ])('the event of %s occurred at %s', (timestamp, instant) => {
    expect(numbered([eventLine({ timestamp })])[0]).toMatchObject({ occurredAtMs: Date.parse(instant) });
  });

  test('a number is the place among the valid lines of the same run', () => {
    const lines = [
      eventLine(),
      'not json',
      eventLine({ run_id: 'other' }),
      eventLine({ timestamp: 'yesterday' }),
      eventLine(),
      eventLine({ run_id: 'other' }),
      eventLine({ group_id: 'B' }),
    ];
    expect(numbered(lines).map((line) => (line.kind === 'event' ? parsed(line).emitter_seq : null))).toEqual([
      1,
      null,
      1,
      null,
      2,
      2,
      1,
    ]);
  });

  test('a file that has grown gives its old lines the same bytes again', () => {
    const line = fc.oneof(
      fc.constant('broken'),
      fc.constant('{}'),
      fc
        .record({ run: fc.constantFrom('a', 'b'), id: fc.uuid() })
        .map(({ run, id }) => eventLine({ run_id: run, event_id: id })),
      fc.uuid().map((id) => eventLine({ event_id: id })),
    );
    fc.assert(
      fc.property(fc.array(line, { minLength: 1 }), fc.array(line), (before, added) => {
        const grown = numbered([...before, ...added]);
        expect(grown.slice(0, before.length)).toEqual(numbered(before));
      }),
    );
  });

  test('lines that carry numbers of their emitter keep them and use up none of the others', () => {
    const own = eventLine({ run_id: 'recorded', emitter_id: 'trainer', emitter_seq: 7 });
    const [first, second, third] = numbered([eventLine(), own, eventLine()]);
    expect(parsed(first!).emitter_seq).toBe(1);
    expect(second).toMatchObject({ kind: 'event', bytes: Buffer.from(own) });
    expect(parsed(third!).emitter_seq).toBe(2);
  });

  test('a field that is null is filled in place, so that no name appears twice', () => {
    const line = eventLine({
      run_id: null,
      group_id: null,
      emitter_id: null,
      emitter_seq: null,
      data: { run_id: null },
    });
    const [result] = numbered([line], { groupId: 'A' });
    expect(parsed(result!)).toMatchObject({
      run_id: 'recorded',
      group_id: 'A',
      emitter_seq: 1,
      data: { run_id: null },
    });
    expect(String((result as { bytes: Buffer }).bytes).match(/"run_id"/g)).toHaveLength(2);
  });

  test('the group of the command line applies to lines without one', () => {
    const [first, second] = numbered([eventLine(), eventLine({ group_id: 'B' })], { groupId: 'A' });
    expect(first).toMatchObject({ groupId: 'A' });
    expect(second).toMatchObject({ groupId: 'B' });
  });

  test('a bare NaN is as valid here as it is for ingest, and stays as it was written', () => {
    const [result] = numbered([eventLine({ data: { loss: '@' } }).replace('"@"', 'NaN')]);
    expect(result?.kind).toBe('event');
    expect(String((result as { bytes: Buffer }).bytes)).toContain('"loss":NaN');
  });

  test.each([
    ['no JSON', '{"event_id":', 'invalid_json'],
    ['an array', '[1]', 'schema'],
    ['an empty object', '{}', 'schema'],
    ['a name twice', eventLine().replace('{', '{"event_id":"e-2",'), 'duplicate_key'],
    ['half a numbering', eventLine({ emitter_id: 'trainer' }), 'schema'],
    ['a run that cannot be a key', eventLine({ run_id: 'a/b' }), 'schema'],
  ])('%s is rejected with the code that ingest gives', (_name, line, code) => {
    expect(numbered([line])[0]).toMatchObject({ kind: 'rejected', fault: { code } });
  });

  test.each([
    ['logs/2025-12-05_111053.events.jsonl', '2025-12-05_111053'],
    ['2025-12-05_111053.events.jsonl.gz', '2025-12-05_111053'],
    ['telemetry_7/events.jsonl', 'telemetry_7'],
    ['my run (copy).ndjson', 'my-run-copy'],
    ['.hidden', 'hidden'],
    ['トレーニング.jsonl', 'imported'],
    [`${'x'.repeat(100)}.jsonl`, 'x'.repeat(64)],
  ])('%s is the run %s', (path, run) => {
    expect(runIdOfFile(path)).toBe(run);
  });
});

describe('inserting fields', () => {
  test('any object keeps its own fields and gets the new ones', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }),
        fc.jsonValue(),
        fc.constantFrom(undefined, 1, 2),
        (object, value, space) => {
          fc.pre(!('new' in object) && !('nil' in object) && !('__proto__' in object));
          const line = Buffer.from(
            JSON.stringify({ ...object, nil: null, last: { nil: null } }, null, space),
          );
          const result = insertFields(line, [
            { name: 'new', json: JSON.stringify(value), replacesNull: false },
            { name: 'nil', json: '"filled"', replacesNull: true },
          ]);
          const expected = { new: value, ...object, nil: 'filled', last: { nil: null } };
          expect(JSON.parse(result.toString('utf8'))).toEqual(JSON.parse(JSON.stringify(expected)));
        },
      ),
    );
  });
});
