import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HeldEvents } from './held-events.ts';
import { emitterIdOf, LineNumberer, readLine, type TakenLine } from './number-lines.ts';
import { formerRunIdOfFile, runIdOfFile } from './run-name.ts';

function eventLine(overrides: Record<string, unknown> = {}): string {
  return JSON.stringify({
    event_id: 'e-1',
    event_type: 'PLATEAU_DETECTED',
    timestamp: '2026-01-03T23:59:47.900000+00:00',
    data: { env_id: 1 },
    ...overrides,
  });
}

const KEY = 'local/recorded/default';

/** Takes the lines of a file, as a run that holds `held` would need them. */
function numbered(
  lines: readonly string[],
  {
    groupId,
    held = new HeldEvents(),
    inode = '1',
  }: { groupId?: string; held?: HeldEvents; inode?: string } = {},
): TakenLine[] {
  const recording = {
    ...{ clusterId: 'local', runId: 'recorded', groupId },
    emitterId: emitterIdOf(Buffer.from(lines[0]!), inode),
  };
  const numberer = new LineNumberer(recording, held);
  return lines.map((line) => {
    const read = readLine(Buffer.from(line), recording);
    return read.kind === 'read' ? numberer.take(read) : read;
  });
}

/** What the server shows of a run that these lines were sent to. */
function heldOf(taken: readonly TakenLine[]): HeldEvents {
  const held = new HeldEvents();
  for (const line of taken) {
    if (line.kind !== 'event') continue;
    const event = parsed(line);
    const key = `local/${event.run_id}/${event.group_id ?? 'default'}`;
    held.takeStored(key, { event, duplicate: false });
  }
  return held;
}

function parsed(line: TakenLine): Record<string, unknown> {
  if (line.kind !== 'event') throw new Error(line.kind === 'rejected' ? line.fault.message : line.kind);
  return JSON.parse(line.bytes.toString('utf8')) as Record<string, unknown>;
}

const idsOf = (taken: readonly TakenLine[]) =>
  taken.filter((line) => line.kind === 'event').map((line) => parsed(line).event_id);

describe('numbering of recorded lines', () => {
  test('fields are inserted after the opening brace and every other byte stays', () => {
    const line =
      '  { "event_id" :"é",\t"event_type": "X", "timestamp":"2026-01-03T23:59:47Z", "data": {"a" : 1.50e3}}';
    const [result] = numbered([line]);
    if (result?.kind !== 'event') throw new Error('rejected');
    const emitter = emitterIdOf(Buffer.from(line), '1');
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

  test('numbers count the new lines of each run, without a gap for what is broken', () => {
    const lines = [
      eventLine(),
      'not json',
      eventLine({ run_id: 'other' }),
      eventLine({ event_id: 'e-2', timestamp: 'yesterday' }),
      eventLine({ event_id: 'e-3' }),
      eventLine({ run_id: 'other', event_id: 'e-2' }),
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

  test('whatever a run holds of a file, exactly the rest is new, and each event keeps its number', () => {
    const line = fc.oneof(
      fc.constant('broken'),
      fc.constant('{}'),
      fc
        .record({ run: fc.constantFrom('a', 'b'), id: fc.constantFrom('e-1', 'e-2', 'e-3', undefined) })
        .map(({ run, id }) => eventLine({ run_id: run, event_id: id })),
      fc.uuid().map((id) => eventLine({ event_id: id })),
    );
    fc.assert(
      fc.property(fc.array(line, { minLength: 1 }), fc.array(line), (before, added) => {
        const first = numbered(before);
        const whole = numbered([...before, ...added]);
        const again = numbered([...before, ...added], { held: heldOf(first) });
        const sent = (taken: readonly TakenLine[]) =>
          taken.map((each) => (each.kind === 'event' ? parsed(each) : null));
        expect(sent(whole).slice(0, before.length)).toEqual(sent(first));
        expect(sent(again)).toEqual([...before.map(() => null), ...sent(whole).slice(before.length)]);
      }),
    );
  });

  test('a resumed recording adds what the run does not hold, wherever it stands', () => {
    const at = (ids: readonly string[]) => ids.map((id) => eventLine({ event_id: id }));
    const held = heldOf(numbered(at(['a-0', 'a-1', 'a-2', 'a-3'])));
    expect(idsOf(numbered(at(['a-0', 'a-1', 'b-2', 'b-3', 'a-3']), { held }))).toEqual(['b-2', 'b-3']);
    expect(idsOf(numbered(at(['c-0', 'a-3', 'c-1']), { held }))).toEqual(['c-0', 'c-1']);
  });

  test('equal lines are as many events as they are, and stay as many', () => {
    const lines = [
      eventLine(),
      eventLine(),
      eventLine({ event_id: null }),
      eventLine({ event_id: undefined }),
    ];
    const taken = numbered(lines);
    expect(taken.map(({ kind }) => kind)).toEqual(['event', 'event', 'event', 'event']);
    const ids = idsOf(taken);
    expect(ids[3]).toBe(`${String(ids[2])}-2`);
    const held = heldOf(taken);
    expect(numbered(lines, { held }).map(({ kind }) => kind)).toEqual(['known', 'known', 'known', 'known']);
    expect(idsOf(numbered([...lines, eventLine()], { held: heldOf(taken) }))).toEqual(['e-1']);
  });

  test('an event without an id is known by what it says, in any order of its fields', () => {
    const said = { event_type: 'X', timestamp: '2026-01-03T23:59:47Z', data: { a: 1, b: [{ c: 2, d: 3 }] } };
    const held = heldOf(numbered([JSON.stringify(said)]));
    const turned = {
      data: { b: [{ d: 3, c: 2 }], a: 1 },
      timestamp: said.timestamp,
      event_type: 'X',
      run_id: 'recorded',
    };
    expect(numbered([JSON.stringify(turned)], { held })).toEqual([{ kind: 'known' }]);
    expect(idsOf(numbered([JSON.stringify({ ...said, data: { a: 2 } })], { held }))).toHaveLength(1);
  });

  test('what an emitter sent live is known in its recording, with or without its numbers', () => {
    const held = new HeldEvents();
    const live = {
      ...(JSON.parse(eventLine()) as object),
      run_id: 'recorded',
      emitter_id: 'trainer',
      emitter_seq: 7,
    };
    held.takeStored(KEY, { event: live, duplicate: null });
    held.takeStored(KEY, { event: live, duplicate: null });
    const other = eventLine({ event_id: 'e-2', timestamp: '2026-01-03T23:59:48Z' });
    const taken = numbered([eventLine({ timestamp: '2026-01-04T00:59:47.9+01:00' }), other], { held });
    expect(taken[0]).toEqual({ kind: 'known' });
    expect(idsOf(taken)).toEqual(['e-2']);
    expect(numbered([JSON.stringify(live)], { held })).toEqual([{ kind: 'known' }]);
  });

  test('a number that another event has is replaced, because the fold may take the second for a repeat', () => {
    const own = { run_id: 'recorded', emitter_id: 'trainer', emitter_seq: 7 };
    const [first, second, again] = numbered([
      eventLine(own),
      eventLine({ ...own, event_id: 'e-2' }),
      eventLine(own),
    ]);
    expect(parsed(first!)).toMatchObject(own);
    expect(parsed(second!)).toMatchObject({ event_id: 'e-2', emitter_seq: 1 });
    expect(parsed(second!).emitter_id).toMatch(/^import-/);
    expect(again).toEqual({ kind: 'known' });
  });

  test('an id that is used again for something else is another event', () => {
    const held = heldOf(numbered([eventLine()]));
    const later = eventLine({ timestamp: '2026-01-05T00:00:00Z' });
    expect(idsOf(numbered([later], { held, inode: '2' }))).toEqual(['e-1']);
  });

  test('an id that an import made of an event says enough: a table may have no times of its own', () => {
    const id = `content-${'0a'.repeat(16)}`;
    const held = heldOf(numbered([eventLine({ event_id: id })]));
    const copied = eventLine({ event_id: id, timestamp: '2026-02-01T00:00:00Z' });
    expect(numbered([copied], { held })).toEqual([{ kind: 'known' }]);
  });

  test('repeats in the log count once, whether the server knows them as such or not', () => {
    const event = { ...(JSON.parse(eventLine()) as object), run_id: 'recorded' };
    for (const duplicates of [
      [false, true],
      [null, null],
      [false, null],
    ] as const) {
      const held = new HeldEvents();
      for (const duplicate of duplicates) held.takeStored(KEY, { event, duplicate });
      expect(numbered([eventLine(), eventLine()], { held }).map(({ kind }) => kind)).toEqual([
        'known',
        'event',
      ]);
    }
  });

  test('lines that carry numbers of their emitter keep them and use up none of the others', () => {
    const own = eventLine({ run_id: 'recorded', event_id: 'e-2', emitter_id: 'trainer', emitter_seq: 7 });
    const [first, second, third] = numbered([eventLine(), own, eventLine({ event_id: 'e-3' })]);
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

  test('a name that cannot be a run is the fault that is told, and not the id that an import may lack', () => {
    const [line] = numbered([eventLine({ event_id: null, run_id: 'r'.repeat(71) })]);
    expect(line).toMatchObject({ kind: 'rejected', fault: { path: 'run_id' } });
  });

  test('the group of the command line applies to lines without one', () => {
    const [first, second] = numbered([eventLine(), eventLine({ group_id: 'B' })], { groupId: 'A' });
    expect(parsed(first!)).toMatchObject({ group_id: 'A' });
    expect(parsed(second!)).toMatchObject({ group_id: 'B' });
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
    ['run-7.events.jsonl', 'run-7'],
    [`${'x'.repeat(64)}.jsonl`, 'x'.repeat(64)],
  ])('%s is the run %s', (path, run) => {
    expect(runIdOfFile(path)).toBe(run);
    expect(formerRunIdOfFile(path)).toBe(run);
  });

  test.each([
    ['my run (copy).ndjson', /^my-run-copy-[0-9a-f]{8}$/, 'my-run-copy'],
    ['.hidden', /^hidden-[0-9a-f]{8}$/, 'hidden'],
    ['トレーニング.jsonl', /^imported-[0-9a-f]{8}$/, 'imported'],
    [`${'x'.repeat(100)}.jsonl`, /^x{55}-[0-9a-f]{8}$/, 'x'.repeat(64)],
  ])('%s cannot be a run, which gets a part of its hash', (path, run, former) => {
    expect(runIdOfFile(path)).toMatch(run);
    expect(formerRunIdOfFile(path)).toBe(former);
  });

  test('names that differ only in what does not fit are different runs', () => {
    const names = ['a b', 'a-b', 'a_b', 'a(b', 'é', 'è', '損失', '学習', 'x'.repeat(65), 'x'.repeat(66)];
    expect(new Set(names.map((name) => runIdOfFile(`${name}.jsonl`))).size).toBe(names.length);
  });
});
