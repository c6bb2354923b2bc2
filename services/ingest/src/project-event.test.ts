import { readdirSync, readFileSync } from 'node:fs';
import { eventTypes } from '@runlog/schema/events/event-types';
import { dataFields, envelopeFields } from '@runlog/schema/events/known-fields';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventTypeCases } from '../../../test/support/event-type-cases.ts';
import { damagedJson } from '../../../test/support/json-fuzz.ts';
import { acceptBatch, type BodyFormat } from './accept-batch.ts';
import { projectEvent, projectedBody } from './project-event.ts';

const fixtures = new URL('../../../test/fixtures/', import.meta.url);

function project(text: string) {
  return projectEvent(projectedBody(Buffer.from(text)), 0);
}

/** The judgement of a body by the fields that the walk reads, and by parsing all of it. */
function bothWays(body: Buffer, format: BodyFormat) {
  const judged = (keepsJson: boolean) => {
    const result = acceptBatch(body, { format, clusterId: 'c1', receivedAtMs: 0, keepsJson });
    if (result.kind !== 'judged') return result;
    return {
      ...result,
      events: result.events.map(({ record: { json: _, value, ...record }, ...event }) => ({
        ...event,
        record,
        value: value.toString('latin1'),
      })),
    };
  };
  return [judged(false), judged(true)] as const;
}

const envelope = {
  event_id: 'e1',
  timestamp: '2026-01-03T23:59:47.9+00:00',
  run_id: 'r1',
  group_id: null,
  seed_id: null,
  slot_id: 's1',
  epoch: 3,
  message: 'grüß 𝒳',
  severity: 'info',
  emitter_id: 'm1',
  emitter_seq: 7,
};

const validEvent = fc
  .constantFrom(...Object.keys(eventTypes), 'NOTE', 'METRICS')
  .chain((type) =>
    fc.constantFrom(...[{ event: {} }, ...eventTypeCases(type)]).map(({ event }) => ({ type, event })),
  )
  .map(({ type, event }) => ({ ...envelope, ...event, event_type: type, extra: { a: [1, null] } }));

const names = [...envelopeFields, ...dataFields, '__proto__', 'constructor', 'extra', 'ra\\nk', 'é'];

describe('the projection of an event', () => {
  it('is judged as the whole event is, whatever the body', () => {
    const line = damagedJson(validEvent, { names });
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(',', ' ,\n', '\n', '\r\n', ' \n\n', '}', ''),
        fc.boolean(),
        (lines, separator, isLatin) => {
          const text = lines.join(separator);
          const bytes = (each: string) => Buffer.from(each, isLatin ? 'latin1' : 'utf8');
          for (const body of [bytes(text), bytes(`[${text}]`), bytes(` [ ${text} ] `)]) {
            for (const format of ['json', 'ndjson'] as const) {
              const [projected, parsed] = bothWays(body, format);
              expect(projected).toEqual(parsed);
            }
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('is judged as the whole event is, for values that few emitters send', () => {
    const odd = [
      '1e999',
      '-0',
      '1E+2',
      '1e-400',
      '0.1e1',
      '12345678901234567890',
      '"\\u0041"',
      '"\\ud800"',
      '[1,{"a":"]"}]',
      '{}',
    ];
    for (const field of [...envelopeFields, ...dataFields]) {
      for (const value of odd) {
        for (const inData of [true, false]) {
          const text = JSON.stringify({ ...envelope, event_type: 'PPO_UPDATE_COMPLETED', data: {} });
          const body = inData
            ? text.replace('"data":{', `"data":{"${field}":${value}`)
            : text.replace('{', `{"${field}":${value},`);
          const [projected, parsed] = bothWays(Buffer.from(body), 'ndjson');
          expect(projected).toEqual(parsed);
        }
      }
    }
  });

  it('reads every event of the recordings', () => {
    for (const name of readdirSync(fixtures).filter((each) => each.endsWith('.events.jsonl'))) {
      for (const text of readFileSync(new URL(name, fixtures), 'utf8').trim().split('\n')) {
        if (/\bNaN\b|\bInfinity\b/.test(text)) continue;
        const projection = project(text);
        expect(projection?.end).toBe(Buffer.byteLength(text));
        const whole = JSON.parse(text) as Record<string, unknown>;
        const { data, ...rest } = projection!.value as { data: Record<string, unknown> };
        expect(whole).toMatchObject(rest);
        const known = Object.entries(whole.data as object).filter(([field]) => dataFields.includes(field));
        expect(data).toEqual(Object.fromEntries(known));
      }
    }
  });

  it.each([
    ['a name twice', '{"run_id":"a","run_id":"b"}'],
    ['a name that nobody knows twice', '{"x":1,"y":2,"x":3}'],
    ['a name with an escape', '{"run\\u005fid":"a"}'],
    [
      'more names that nobody knows than it compares',
      `{${Array.from({ length: 9 }, (_, at) => `"n${at}":1`)}}`,
    ],
    ['nesting that is deep', `{"a":${'['.repeat(20)}${']'.repeat(20)}}`],
    ['a number with a leading zero', '{"a":01}'],
    ['an event that is cut off', '{"a":[1,2'],
    ['a bare NaN', '{"a":NaN}'],
    ['what is no object', '[1]'],
    ['an empty object', '{}'],
  ])('leaves %s to the parser', (_, text) => {
    expect(project(text)).toBeNull();
  });
});
