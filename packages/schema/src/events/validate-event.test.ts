import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventTypeCases } from '../../../../test/support/event-type-cases.ts';
import { EVENT_ID_CHARS_MAX } from '../limits.ts';
import { eventSchemas } from './event-schemas.ts';
import { validateEvent, validateEventPlainly } from './validate-event.ts';

type Json = Record<string, unknown>;

/** Python's bare literals, which ingest turns into strings before it validates. */
const nonFinite = /(?<=[:[,] ?)(?:-?Infinity|NaN)(?=[,\]}])/g;

function recorded(file: string): Json[] {
  const url = new URL(`../../../../test/fixtures/${file}`, import.meta.url);
  const lines = readFileSync(url, 'utf8').split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line.replaceAll(nonFinite, '"$&"')) as Json);
}

const recordings = [...recorded('short.events.jsonl'), ...recorded('one-env.events.jsonl')];

/** Each with what is wrong with it, or null. */
const timestampCases: readonly (readonly [unknown, string | null])[] = [
  ['2026-01-03T23:59:47.900000+00:00', null],
  ['2026-01-03T23:59:47+00:00', null],
  ['2026-01-03T23:59:47Z', null],
  ['2026-01-03T23:59:47z', null],
  ['2026-01-03t23:59:47Z', null],
  ['2026-01-03 23:59:47+00:00', null],
  ['2026-01-03 23:59:47Z', null],
  ['2026-01-03T23:59:47+0000', null],
  ['2026-01-03T23:59:47+00', null],
  ['2026-01-03T23:59:47-00:00', null],
  ['2026-01-03T23:59:47+05:30', null],
  ['2026-01-03T23:59:47+14:00', null],
  ['2026-01-03T23:59:47+23:59', null],
  ['2026-01-03T23:59:47.123456789Z', null],
  ['2026-01-03T23:59:47,123Z', null],
  ['2026-01-03T23:59:47.1+00:00', null],
  ['2026-01-03T23:59:47.12345678901234567890123456789+00:00', null],
  ['2026-01-03T23:59Z', null],
  ['2026-01-03T24:00:00Z', null],
  ['20260103T235947Z', null],
  ['2024-02-29T00:00:00Z', null],
  ['9999-12-31T23:59:59-12:00', null],
  ['0000-01-01T00:00:00+14:00', null],
  ['0001-01-01T00:00:00Z', null],
  ['2026-01-03T23:59:47', 'this one has no UTC offset'],
  ['2026-01-03T23:59:47.5', 'this one has no UTC offset'],
  ['20260103T235947', 'this one has no UTC offset'],
  ['2026-01-03', 'this one has no time of day'],
  ['2026-02-30T00:00:00Z', 'there is no 2026-02-30'],
  ['2025-02-29T00:00:00Z', 'there is no 2025-02-29'],
  ['2026-13-01', 'there is no 2026-13-01'],
  ['2026-01-03T23:59:60Z', 'there is no 23:59:60'],
  ['2026-01-03T25:00Z', 'there is no 25:00'],
  ['2026-01-03T24:00:01Z', 'there is no 24:00:01'],
  ['2026-01-03T23:59:47+24:00', '"+24:00" is no UTC offset'],
  ['2026-01-03T23:59:47 UTC', '" UTC" is no UTC offset'],
  ['2026-01-03T23:59:47+00:00[UTC]', '"+00:00[UTC]" is no UTC offset'],
  ['2026-01-03T23:59:47.+00:00', '".+00:00" is no UTC offset'],
  [
    `2026-01-03T23:59:47.${'1'.repeat(33)}Z`,
    'a second has at most 32 digits after the point, this one has 33',
  ],
  [`2026-01-03T23:59:47${'x'.repeat(500)}`, `"${'x'.repeat(31)}…" is no UTC offset`],
  ['2026-01-03T235947Z', 'this one is written in another way'],
  ['+002026-01-03T23:59:47Z', 'this one is written in another way'],
  ['yesterday', 'this one is written in another way'],
  ['', 'this one is written in another way'],
  ['1767484787', 'this one is a number'],
  ['1767484787.5', 'this one is a number'],
  [1767484787, 'this one is a number'],
  [1767484787123, 'this one is a number'],
  [null, 'this one is null'],
  [true, 'this one is no text'],
  [{}, 'this one is no text'],
];

/** One payload of each type and age that is judged, with nothing that is not required. */
const payloads = payloadsOf('current', Object.keys(eventSchemas.current));
const olderPayloads = payloadsOf('older', Object.keys(eventSchemas.older));

function payloadsOf(shape: 'current' | 'older', types: readonly string[]): Record<string, Json> {
  return Object.fromEntries(
    types.map((type) => {
      const fixture = eventTypeCases(type).find((each) => each.shape === shape);
      if (fixture === undefined) throw new Error(`no fixture of ${type} in the ${shape} shape`);
      return [type, fixture.event.data as Json];
    }),
  );
}

function event(overrides: Json = {}): Json {
  return {
    event_id: 'e1',
    event_type: 'NOTE',
    timestamp: '2026-01-03T23:59:47.900000+00:00',
    run_id: 'r1',
    ...overrides,
  };
}

/** The fault as `path: message`, or null for a valid event. Both ways of judging must say the same. */
function faultOf(value: unknown): string | null {
  const verdict = validateEvent(value);
  expect(validateEventPlainly(value)).toEqual(verdict);
  if ('fault' in verdict) return `${verdict.fault.path}: ${verdict.fault.message}`;
  expect(verdict.event).toBe(value);
  return null;
}

function without(record: Json, name: string): Json {
  return Object.fromEntries(Object.entries(record).filter(([each]) => each !== name));
}

const payloadFields = Object.entries(payloads).flatMap(([type, data]) =>
  Object.keys(data)
    // Without it, and with its older name, these are older events.
    .map((field) => ({ type, field, data })),
);

describe('a payload', () => {
  it.each(Object.keys(payloads))('of %s is valid with what is required, and with more', (event_type) => {
    expect(faultOf(event({ event_type, data: payloads[event_type] }))).toBeNull();
    expect(
      faultOf(event({ event_type, data: { ...payloads[event_type], unheard_of: { of: [] } } })),
    ).toBeNull();
  });

  it.each(Object.keys(payloads))('of %s must be there', (event_type) => {
    for (const data of [undefined, null]) {
      expect(faultOf(event({ event_type, data }))).toMatch(/^data: /);
    }
  });

  it.each(payloadFields.filter(({ type, field }) => !(field === 'slot_id' && type in olderPayloads)))(
    'of $type must have $field',
    ({ type, field, data }) => {
      const fault = faultOf(event({ event_type: type, data: without(data, field) }));
      expect(fault).toMatch(new RegExp(`^data\\.${field}: is required`));
    },
  );

  it.each(payloadFields)('of $type has no object for $field', ({ type, field, data }) => {
    expect(faultOf(event({ event_type: type, data: { ...data, [field]: {} } }))).toMatch(
      new RegExp(`^data\\.${field}: `),
    );
  });

  it.each(Object.entries(olderPayloads))('of %s is valid in its older shape', (event_type, data) => {
    expect(faultOf(event({ event_type, data, slot_id: 'r0c0' }))).toBeNull();
  });

  it.each(Object.entries(olderPayloads).filter(([type]) => type.startsWith('SEED_')))(
    'of an older %s needs the slot in the envelope',
    (event_type, data) => {
      for (const slot_id of [undefined, null, '']) {
        expect(faultOf(event({ event_type, data, slot_id }))).toMatch(/^slot_id: /);
      }
    },
  );

  it.each(
    Object.entries(olderPayloads).flatMap(([type, data]) =>
      Object.keys(data)
        // Without these the shape is no longer recognised as the older one, and judged as the current one.
        .filter((field) => !['blueprint_id', 'from', 'approx_kl'].includes(field))
        .map((field) => ({ type, field, data })),
    ),
  )('of an older $type must have $field', ({ type, field, data }) => {
    const fault = faultOf(event({ event_type: type, slot_id: 'r0c0', data: without(data, field) }));
    expect(fault).toMatch(new RegExp(`^data\\.${field}: `));
  });

  it('may be anything for another type, but no list', () => {
    for (const data of [undefined, null, {}, { any: { thing: [1] } }])
      expect(faultOf(event({ data }))).toBeNull();
    for (const data of [[], 'x', 1]) expect(faultOf(event({ data }))).toMatch(/^data: /);
  });

  it.each([
    ['NaN', null],
    ['Infinity', null],
    ['-Infinity', null],
    [null, null],
    ['nan', 'data.val_loss: must be a number, null, or one of "NaN", "Infinity", "-Infinity"'],
    ['1', 'data.val_loss: must be a number, null, or one of "NaN", "Infinity", "-Infinity"'],
    [
      Number.POSITIVE_INFINITY,
      'data.val_loss: must be a number, null, or one of "NaN", "Infinity", "-Infinity"',
    ],
    [
      undefined,
      'data.val_loss: is required: it must be a number, null, or one of "NaN", "Infinity", "-Infinity"',
    ],
  ])('has for a float %j', (val_loss, fault) => {
    const data = { ...payloads.EPOCH_COMPLETED, val_loss };
    expect(faultOf(event({ event_type: 'EPOCH_COMPLETED', data }))).toBe(fault);
  });

  it.each([
    ['env_id', -1, true],
    ['env_id', -2, false],
    ['env_id', 1.5, false],
    ['env_id', 'NaN', false],
    ['inner_epoch', -1, false],
    ['inner_epoch', 2 ** 53, false],
    ['inner_epoch', 2 ** 53 - 1, true],
  ])('has for the whole number %s the value %j: %s', (field, value, valid) => {
    const data = { ...payloads.EPOCH_COMPLETED, [field]: value };
    expect(faultOf(event({ event_type: 'EPOCH_COMPLETED', data })) === null).toBe(valid);
  });
});

describe('the envelope', () => {
  it.each(['event_id', 'event_type', 'run_id'])('must have %s', (field) => {
    expect(faultOf(without(event(), field))).toBe(`${field}: is required (expected string)`);
  });

  it('names every field that is missing', () => {
    expect(faultOf({})).toBe(
      'event_id: is required (expected string); also required: event_type, timestamp, run_id',
    );
    expect(faultOf({ event_id: null, event_type: null, timestamp: null, run_id: null })).toMatch(
      /^event_id: .*; also required: event_type, timestamp, run_id$/,
    );
  });

  it('names every field that is missing beside another fault', () => {
    expect(faultOf({ ...event(), run_id: undefined, event_id: 7 })).toBe(
      'event_id: Invalid input: expected string, received number; also required: run_id',
    );
    expect(faultOf({ event_type: 'note', emitter_id: 'm1', run_id: 'r1' })).toMatch(
      /^event_id: .*; also required: timestamp, emitter_seq$/,
    );
    expect(faultOf({ ...event({ severity: {} }), timestamp: undefined })).toMatch(
      /^timestamp: is required: it must be ISO 8601/,
    );
  });

  it.each([undefined, null])('names what the payload must hold where there is %s', (data) => {
    const missing = 'data.env_id, data.val_accuracy, data.val_loss, data.inner_epoch';
    const completed = event({ event_type: 'EPOCH_COMPLETED', data });
    expect(faultOf(completed)).toMatch(new RegExp(`^data: .*; also required: ${missing}$`));
    expect(faultOf(without(completed, 'run_id'))).toMatch(
      new RegExp(`^run_id: .*; also required: data, ${missing}$`),
    );
  });

  it('must have a timestamp', () => {
    expect(faultOf(without(event(), 'timestamp'))).toMatch(/^timestamp: is required: it must be ISO 8601/);
  });

  it.each(timestampCases)('has the timestamp %j, at fault: %j', (timestamp, why) => {
    const mustBe =
      'timestamp: must be ISO 8601 with a UTC offset, such as 2026-01-03T23:59:47.900000+00:00: ';
    expect(faultOf(event({ timestamp }))).toBe(why === null ? null : mustBe + why);
  });

  it('is judged for every timestamp of test/fixtures/judged/timestamps.ndjson', () => {
    const judged = new Set(timestampCases.map(([timestamp]) => timestamp));
    for (const { timestamp } of recorded('judged/timestamps.ndjson')) expect(judged).toContain(timestamp);
  });

  it.each([
    ['a', true],
    ['A.b_c-9', true],
    ['x'.repeat(64), true],
    ['x'.repeat(65), false],
    ['', false],
    ['.a', false],
    ['-a', false],
    ['a/b', false],
    ['ä', false],
    ['a\n', false],
    [7, false],
  ])('has the run %j: %s', (id, valid) => {
    expect(faultOf(event({ run_id: id })) === null).toBe(valid);
    expect(faultOf(event({ group_id: id })) === null).toBe(valid);
    expect(faultOf(event({ emitter_id: id, emitter_seq: 1 })) === null).toBe(valid);
  });

  it.each([
    ['✓ any text', true],
    ['x'.repeat(EVENT_ID_CHARS_MAX), true],
    ['x'.repeat(EVENT_ID_CHARS_MAX + 1), false],
    ['', false],
    ['a\u0000', false],
    ['a\n', false],
    ['\ud800', false],
    ['\ud83d\ude00', true],
  ])('has the event id %j: %s', (event_id, valid) => {
    expect(faultOf(event({ event_id })) === null).toBe(valid);
  });

  it.each([
    ['A', true],
    ['A_1', true],
    [`A${'B'.repeat(63)}`, true],
    [`A${'B'.repeat(64)}`, false],
    ['a', false],
    ['1A', false],
    ['', false],
    ['A\n', false],
    ['__proto__', false],
  ])('has the type %j: %s', (event_type, valid) => {
    expect(faultOf(event({ event_type })) === null).toBe(valid);
  });

  it.each([
    [{ emitter_id: 'm1', emitter_seq: 1 }, null],
    [{ emitter_id: null, emitter_seq: null }, null],
    [{ emitter_id: 'm1' }, 'emitter_seq'],
    [{ emitter_id: 'm1', emitter_seq: null }, 'emitter_seq'],
    [{ emitter_seq: 1 }, 'emitter_id'],
    [{ emitter_id: 'm1', emitter_seq: 0 }, 'emitter_seq'],
    [{ emitter_id: 'm1', emitter_seq: 1.5 }, 'emitter_seq'],
    [{ emitter_id: 'm1', emitter_seq: '1' }, 'emitter_seq'],
    [{ emitter_id: 'm1', emitter_seq: 2 ** 53 }, 'emitter_seq'],
  ])('has the emitter %j, at fault: %j', (emitter, path) => {
    expect(faultOf(event(emitter))?.split(':')[0] ?? null).toBe(path);
  });

  it.each(['group_id', 'seed_id', 'slot_id', 'epoch', 'message', 'severity'])(
    'may have null for %s',
    (field) => {
      expect(faultOf(event({ [field]: null }))).toBeNull();
      expect(faultOf(event({ [field]: { not: 'this' } }))).toMatch(new RegExp(`^${field}: `));
    },
  );

  it.each(['', 'WARN', 'fatal', 'whatever', 30, 0, -1.5])('has the severity %j', (severity) => {
    expect(faultOf(event({ severity }))).toBeNull();
  });

  it.each([[true], [{}], [['info']]])('has no severity %j', (severity) => {
    expect(faultOf(event({ severity }))).toBe('severity: must be text such as "warning", or a number');
  });

  it.each([null, undefined, 'text', 5, true, [], [event()]])('is no object: %j', (value) => {
    expect(faultOf(value)).toBe(': an event must be a JSON object');
  });

  it('is not taken from a prototype', () => {
    expect(faultOf(JSON.parse(`{"__proto__": ${JSON.stringify(event())}}`))).toMatch(/is required/);
  });

  it('may have members named as those of every object', () => {
    const text = `${JSON.stringify(event()).slice(0, -1)},"__proto__":{"run_id":5},"constructor":1,"toString":null}`;
    expect(faultOf(JSON.parse(text))).toBeNull();
  });
});

it('null where a float stands is valid, whatever the sender means by it', () => {
  const judged = recorded('judged/nan-as-null.ndjson').map((value) => [
    value.event_id,
    faultOf(value) === null,
  ]);
  expect(Object.fromEntries(judged)).toEqual({
    'n-1': true,
    'n-2': true,
    'n-3': true,
    'n-4': false,
    'n-5': false,
  });
});

describe('recorded events', () => {
  it('are valid', () => {
    for (const value of recordings) expect(faultOf(value)).toBeNull();
  });

  it('are returned as they came, even frozen', () => {
    const frozen = Object.freeze({ ...recordings[0]!, data: Object.freeze(recordings[0]!.data) });
    expect(faultOf(frozen)).toBeNull();
  });

  it('are judged alike by the compiled and the plain schemas, whatever is changed in them', () => {
    const strange = fc.oneof(
      fc.constantFrom(
        undefined,
        null,
        '',
        'NaN',
        'Infinity',
        0,
        -1,
        -2,
        1.5,
        2 ** 53,
        Number.POSITIVE_INFINITY,
        {},
        [],
      ),
      fc.jsonValue({ maxDepth: 2 }),
    );
    const types = [...Object.keys(payloads), ...Object.keys(olderPayloads), 'NOTE', 'note'];
    const change = fc.oneof(
      fc.record({ at: fc.constant('type' as const), value: fc.constantFrom(...types) }),
      fc.record({
        at: fc.constantFrom('envelope' as const, 'data' as const),
        field: fc.nat(),
        value: strange,
      }),
      fc.record({ at: fc.constantFrom('drop' as const, 'drop data' as const), field: fc.nat() }),
    );
    const bases = [
      ...recordings,
      ...Object.entries(olderPayloads).map(([event_type, data]) => event({ event_type, data, slot_id: 's' })),
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...bases),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        (base, changes) => {
          const value: Json = { ...base, data: { ...(base.data as Json) } };
          const data = value.data as Json;
          for (const each of changes) {
            if (each.at === 'type') {
              value.event_type = each.value;
              continue;
            }
            const target = each.at === 'data' || each.at === 'drop data' ? data : value;
            const names = Object.keys(target);
            const name = names[each.field % Math.max(1, names.length)] ?? 'x';
            if ('value' in each) target[name] = each.value;
            else delete target[name];
          }
          faultOf(value);
        },
      ),
      { numRuns: 5_000 },
    );
  });
});
