import { readFileSync } from 'node:fs';
import { BODY_EVENTS_MAX, EVENT_BYTES_MAX, EVENT_DEPTH_MAX } from '@runlog/schema/limits';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptBatch, type BodyFormat } from './accept-batch.ts';
import { eventText, eventTextWith, judgedOf } from './made-up/test-events.ts';

const receivedAtMs = Date.parse('2026-01-04T00:00:00.123Z');

function accept(body: string | Buffer, format: BodyFormat = 'json') {
  return acceptBatch(typeof body === 'string' ? Buffer.from(body) : body, {
    format,
    clusterId: 'c1',
    receivedAtMs,
  });
}

const judged = (body: string | Buffer, format: BodyFormat = 'json') => judgedOf(accept(body, format));

describe('a valid event', () => {
  it('becomes a record under its run, with its headers and the time it was received', () => {
    const text = eventText({ emitter_id: 'm1', emitter_seq: 7 });
    expect(judged(text)).toEqual({
      kind: 'judged',
      total: 1,
      rejected: [],
      events: [
        {
          index: 0,
          record: {
            key: 'c1/r1/default',
            value: Buffer.from(text),
            headers: {
              event_type: 'NOTE',
              event_id: 'e1',
              received_at: '2026-01-04T00:00:00.123Z',
              schema_version: '1',
              emitter_id: 'm1',
              emitter_seq: '7',
            },
            timestampMs: receivedAtMs,
          },
          normalized: false,
        },
      ],
    });
  });

  it('without emitter numbers has no headers for them', () => {
    expect(Object.keys(judged(eventText()).events[0]!.record.headers)).toEqual([
      'event_type',
      'event_id',
      'received_at',
      'schema_version',
    ]);
  });

  it.each([
    ['timestamps', 22, 14],
    ['nan-as-null', 3, 2],
  ])('of test/fixtures/judged/%s.ndjson is accepted as it came, %d of them', (name, accepted, rejected) => {
    const body = readFileSync(new URL(`../../../test/fixtures/judged/${name}.ndjson`, import.meta.url));
    const { events, rejected: refused } = judged(body, 'ndjson');
    expect([events.length, refused.length]).toEqual([accepted, rejected]);
    const lines = body.toString('utf8').split('\n');
    for (const { index, record } of events) expect(record.value.toString('utf8')).toBe(lines[index]);
  });

  it.each([
    ['without', undefined],
    ['with a null', null],
  ])('%s group_id belongs to the default group', (_how, group_id) => {
    expect(judged(eventText({ group_id })).events[0]!.record.key).toBe('c1/r1/default');
  });

  it('takes its cluster from the origin, never from its body', () => {
    expect(judged(eventText({ cluster_id: 'evil' })).events[0]!.record.key).toBe('c1/r1/default');
  });

  it.each([
    ['floats that look like integers', '"epoch": 1.0'],
    ['exponents', '"epoch": 1e2'],
    ['large integers in unknown fields', '"big": 123456789012345678901234567890'],
    ['numbers beyond a double in unknown fields', '"huge": 1e999'],
    ['a __proto__ member', '"__proto__": {"run_id": "evil"}'],
    ['escapes and lone surrogates', '"text": "\\u00e4\\ud800\\/"'],
    ['whitespace', '  "a" :\t[ 1 ,\n2 ]  '],
    ['unknown fields', '"π": "✓"'],
  ])('keeps %s byte for byte', (_what, members) => {
    const text = eventTextWith(members);
    for (const body of [text, `[${text}]`, ` [ ${text} , ${text} ] `]) {
      const { events, rejected } = judged(body);
      expect(rejected).toEqual([]);
      for (const event of events) {
        expect(event.record.value.toString()).toBe(text);
        expect(event.normalized).toBe(false);
        expect(event.record.key).toBe('c1/r1/default');
      }
    }
  });

  it('is a view of the body, not a copy', () => {
    const body = Buffer.from(`[${eventText()}]`);
    expect(judged(body).events[0]!.record.value.buffer).toBe(body.buffer);
  });
});

describe('numbers that are not numbers', () => {
  const data = '"data": {"policy_loss": NaN, "value_loss": 1.0, "entropy": -Infinity, "grad_norm": Infinity,';
  const rest = ' "kl_divergence": 0, "clip_fraction": 0, "nan_grad_count": 0, "note": "NaN, ok"}';
  const head = eventText({ event_type: 'PPO_UPDATE_COMPLETED', data: undefined }).slice(0, -1);
  const text = `${head},${data}${rest}}`;

  it.each<BodyFormat>(['json', 'ndjson'])('become strings in %s, and nothing else changes', (format) => {
    const [event] = judged(text, format).events;
    expect(event!.normalized).toBe(true);
    expect(event!.record.value.toString()).toBe(
      text
        .replace(': NaN', ': "NaN"')
        .replace(': -Infinity', ': "-Infinity"')
        .replace(': Infinity', ': "Infinity"'),
    );
  });

  it('leave the neighbours untouched', () => {
    const { events } = judged(`[${eventText()}, ${text}, ${eventTextWith('"x": 1.0')}]`);
    expect(events.map((event) => event.normalized)).toEqual([false, true, false]);
    expect(events[2]!.record.value.toString()).toBe(eventTextWith('"x": 1.0'));
  });

  it('are rejected where the schema requires an integer', () => {
    const bad = eventTextWith('"emitter_id": "m1", "emitter_seq": NaN');
    expect(judged(bad).rejected[0]!.error).toMatchObject({ code: 'schema', path: 'emitter_seq' });
  });
});

describe('a rejected event', () => {
  it('names its field, its id and its index', () => {
    const body = `[${eventText()},${eventText({ event_id: 'e2', run_id: undefined })}]`;
    const { events, rejected, total } = judged(body);
    expect(total).toBe(2);
    expect(events.map((event) => event.index)).toEqual([0]);
    expect(rejected.map(({ error }) => error)).toEqual([
      {
        index: 1,
        event_id: 'e2',
        code: 'schema',
        path: 'run_id',
        message: 'is required (expected string)',
      },
    ]);
  });

  it.each([
    ['with a legible run', eventText({ event_id: undefined }), 'c1/r1/default'],
    ['with its group', eventText({ event_id: undefined, group_id: 'g2' }), 'c1/r1/g2'],
    ['with an illegible run', eventText({ run_id: 'a/b' }), 'c1'],
    ['with no run', eventText({ run_id: undefined }), 'c1'],
    ['that is not an object', '5', 'c1'],
  ])('%s is kept under the most precise key that it allows', (_how, text, key) => {
    expect(judged(`[${text}]`).rejected).toMatchObject([{ key, value: Buffer.from(text) }]);
  });

  it.each([
    ['a string', '"x"'],
    ['a number', '1'],
    ['null', 'null'],
    ['an array', '[]'],
  ])('may be %s', (_what, text) => {
    expect(judged(`[${text}]`).rejected[0]!.error).toMatchObject({
      code: 'schema',
      path: '',
      event_id: null,
    });
  });

  it.each(['"run_id":"r2"', '"run\\u005fid":"r2"', '"event_id":"e1"', '"x":1,"x":1'])(
    'has a key twice: %s',
    (members) => {
      expect(judged(eventTextWith(members)).rejected[0]!.error).toMatchObject({
        code: 'duplicate_key',
        event_id: 'e1',
      });
    },
  );

  it('may have the same key twice below the top level', () => {
    expect(judged(eventTextWith('"x":{"a":1,"a":2}')).rejected).toEqual([]);
  });

  it('is refused if it is one byte too large, and accepted with one byte less', () => {
    const padding = EVENT_BYTES_MAX - eventTextWith('"x":""').length;
    const largest = eventTextWith(`"x":"${'x'.repeat(padding)}"`);
    expect(judged(largest).rejected).toEqual([]);
    const larger = eventTextWith(`"x":"${'x'.repeat(padding + 1)}"`);
    expect(judged(larger).rejected[0]!.error).toMatchObject({ code: 'event_too_large', event_id: 'e1' });
  });

  it.each<BodyFormat>(['json', 'ndjson'])(
    'is refused if it is nested one level too deep in %s, and accepted with one level less',
    (format) => {
      const nested = (depth: number) => eventTextWith(`"x":${'['.repeat(depth)}${']'.repeat(depth)}`);
      expect(judged(nested(EVENT_DEPTH_MAX - 1), format).rejected).toEqual([]);
      expect(judged(nested(EVENT_DEPTH_MAX), format).rejected[0]!.error).toMatchObject({ code: 'too_deep' });
    },
  );

  it('repeats no id that is longer than an id may be, and no endless message', () => {
    const long = 'x'.repeat(100_000);
    const { rejected } = judged(
      `${eventText({ event_id: long })}\n{"${long}":1,"${long}":2}\n${'{"a'.repeat(30_000)}`,
      'ndjson',
    );
    for (const { error } of rejected) expect(JSON.stringify(error).length).toBeLessThan(1_000);
    expect(rejected[0]!.error.event_id).toBeNull();
  });
});

describe('a JSON body', () => {
  it.each([
    ['', 'empty'],
    [`[${eventText()}`, 'cut off'],
    [`[${eventText()},`, 'cut off'],
    [`[${eventText()},{"a":}]`, 'event 1 is not JSON'],
    [`[${eventText()}] x`, 'follows'],
    [`${eventText()}${eventText()}`, 'the body is not JSON'],
    [`${eventText()}\n${eventText()}`, 'the body is not JSON'],
    ['{"a":nul}', 'the body is not JSON'],
  ])('that is broken is refused as a whole: %#', (body, message) => {
    expect(accept(body)).toEqual({
      kind: 'refused',
      code: 'invalid_json',
      message: expect.stringContaining(message),
    });
  });

  it('that is not UTF-8 is refused as a whole', () => {
    for (const bytes of [
      [0xff, 0xfe, 0x5b, 0x00],
      [0x22, 0xc0, 0xaf, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
    ]) {
      expect(accept(Buffer.from(bytes))).toMatchObject({ kind: 'refused', code: 'invalid_utf8' });
    }
  });

  it('may be an empty array', () => {
    expect(judged(' [ ] ')).toMatchObject({ total: 0, events: [], rejected: [] });
  });

  it('may begin with a byte order mark', () => {
    expect(judged(`\ufeff[${eventText()}]`).events[0]!.record.value.toString()).toBe(eventText());
  });

  it.each<BodyFormat>(['json', 'ndjson'])('may have 1,000 events in %s and not one more', (format) => {
    const body = (events: number) => {
      const texts = Array.from({ length: events }, () => eventText());
      return format === 'json' ? `[${texts.join()}]` : texts.join('\n');
    };
    expect(judged(body(BODY_EVENTS_MAX), format).events).toHaveLength(BODY_EVENTS_MAX);
    expect(accept(body(BODY_EVENTS_MAX + 1), format)).toMatchObject({ code: 'too_many_events' });
  });

  it('never ends the process, however deep it is', () => {
    expect(accept('['.repeat(4_000_000))).toMatchObject({ kind: 'refused', code: 'invalid_json' });
    const deep = `[${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}]`;
    expect(judged(deep).rejected[0]!.error.code).toBe('too_deep');
  });
});

describe('an NDJSON body', () => {
  it('is judged line by line: a broken line does not affect its neighbours', () => {
    const body = Buffer.concat([
      Buffer.from(`${eventText()}\n\r\n{"a":\n${eventText({ event_id: 'e3' })} x\n`),
      Buffer.from([0x22, 0xff, 0x22, 0x0a]),
      Buffer.from(eventText({ event_id: 'e5' })),
    ]);
    const { total, events, rejected } = judged(body, 'ndjson');
    expect(total).toBe(5);
    expect(events.map((event) => [event.index, event.record.headers.event_id])).toEqual([
      [0, 'e1'],
      [4, 'e5'],
    ]);
    expect(rejected.map(({ error }) => [error.index, error.code])).toEqual([
      [1, 'invalid_json'],
      [2, 'invalid_json'],
      [3, 'invalid_utf8'],
    ]);
  });

  it('may be empty', () => {
    expect(judged('', 'ndjson')).toMatchObject({ total: 0 });
  });
});

describe('any bytes', () => {
  it.each<BodyFormat>(['json', 'ndjson'])(
    'are judged without a throw as %s, and every event is counted once',
    (format) => {
      const fragment = fc.constantFrom(
        eventText(),
        '[',
        ']',
        '{',
        '}',
        ',',
        ':',
        '"',
        '\\',
        '\n',
        '\ufeff',
        'NaN',
        '1e999',
        '{"__proto__":null}',
        '\u0000',
      );
      const bytes = fc.oneof(
        fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array)),
        fc.array(fragment, { maxLength: 12 }).map((parts) => Buffer.from(parts.join(''))),
      );
      fc.assert(
        fc.property(bytes, (body) => {
          const result = accept(body, format);
          if (result.kind === 'refused') return;
          const indexes = [
            ...result.events.map((event) => event.index),
            ...result.rejected.map(({ error }) => error.index),
          ];
          expect(indexes.sort((a, b) => a - b)).toEqual(
            Array.from({ length: result.total }, (_, index) => index),
          );
        }),
        { numRuns: 1_000 },
      );
    },
  );
});
