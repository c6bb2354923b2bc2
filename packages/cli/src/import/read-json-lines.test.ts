import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { EVENT_BYTES_MAX } from '@runlog/schema/limits';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { keepsToLines, readJsonLines } from './read-json-lines.ts';
import type { Recorded } from './recorded-source.ts';
import { splitDocuments } from './split-documents.ts';

async function readFileOf(bytes: Buffer | string): Promise<Recorded[]> {
  const folder = mkdtempSync(join(tmpdir(), 'runlog-read-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'recording');
  writeFileSync(path, bytes);
  const { signal } = new AbortController();
  const read: Recorded[] = [];
  for await (const one of readJsonLines(path, { signal })) read.push(one);
  return read;
}

/** Each place with what stands there: the line's own bytes, or the code of a fault. */
function told(read: readonly Recorded[]): string[] {
  return read.map((one) => {
    if ('fault' in one) return `${one.place} ${one.fault.code}`;
    return `${one.place} ${'line' in one ? one.line.toString('utf8') : '?'}`;
  });
}

const linesOf = (count: number) =>
  Array.from({ length: count }, (_, at) => JSON.stringify({ event_id: `e-${at}`, filler: Math.sin(at) }));

describe('a recording', () => {
  test('is nothing if it is empty or blank', async () => {
    for (const text of ['', '\n \r\n\t\n', '\ufeff', gzipSync('')])
      expect(await readFileOf(text)).toEqual([]);
  });

  test.each([
    ['an array on one line', '[{"a":1}, {"b":[2]},{}]', ['1 {"a":1}', '1 {"b":[2]}', '1 {}']],
    ['an array over lines', '[\n {"a": 1},\r\n {"b": "]}\\""}\n]\n', ['2 {"a": 1}', '3 {"b": "]}\\""}']],
    ['an empty array', ' [ ]', []],
    ['an array a line', '[{"a":1}]\n[{"b":2}]\n', ['1 {"a":1}', '2 {"b":2}']],
    [
      'events over several lines',
      '{\n  "a": {\n "b": 1 }\n}\n{\n"c": 2}',
      ['1 {   "a": {  "b": 1 } }', '5 { "c": 2}'],
    ],
    ['one event over several lines', '{"a": 1,\n "b": 2\n}', ['1 {"a": 1,  "b": 2 }']],
    ['an array that is cut off', '[{"a":1},\n{"b":', ['1 {"a":1}', '2 invalid_json']],
    ['an array without an end', '[{"a":1},\n', ['1 {"a":1}', '2 invalid_json']],
    [
      'an array with something else',
      '[{"a":1}, 7 8, null,\n{"b":2}]',
      ['1 {"a":1}', '1 invalid_json', '1 invalid_json', '2 {"b":2}'],
    ],
    [
      'lines of which the first is cut off',
      '{"a": {\nno json\n{"b":1}',
      ['1 {"a": {', '2 no json', '3 {"b":1}'],
    ],
    ['a log with brackets', '[info] start\n{"a":1}\n', ['1 [info] start', '2 {"a":1}']],
  ])('may be %s', async (_, text, expected) => {
    expect(told(await readFileOf(text))).toEqual(expected);
    expect(told(await readFileOf(gzipSync(text)))).toEqual(expected);
  });

  test('may be UTF-16, as shells redirect, or have a byte order mark', async () => {
    const text = '{"a":"é損🙂"}\r\n{"b":1}\n';
    const expected = ['1 {"a":"é損🙂"}', '2 {"b":1}'];
    const little = Buffer.from(`\ufeff${text}`, 'utf16le');
    const big = Buffer.from(little).swap16();
    for (const bytes of [
      little,
      big,
      little.subarray(2),
      big.subarray(2),
      gzipSync(little),
      `\ufeff${text}`,
    ]) {
      expect(told(await readFileOf(bytes))).toEqual(expected);
    }
  });

  test('in gzip that is cut off gives what could be read, and says so', async () => {
    const lines = linesOf(5_000);
    const whole = gzipSync(lines.join('\n'));
    const read = await readFileOf(whole.subarray(0, whole.length / 2));
    const events = read.filter((one) => 'line' in one);
    expect(events.length).toBeGreaterThan(1_000);
    expect(told(events.slice(0, 1_000))).toEqual(
      lines.slice(0, 1_000).map((line, at) => `${at + 1} ${line}`),
    );
    expect(read.at(-1)).toMatchObject({
      fault: { code: 'unreadable', message: expect.stringContaining('ends in the middle') },
    });
  });

  test('in gzip that is damaged gives what could be read, and says so', async () => {
    const whole = gzipSync(linesOf(20_000).join('\n'));
    const middle = Math.floor(whole.length / 2);
    whole.fill(0xff, middle, middle + 200);
    const read = await readFileOf(whole);
    expect(read.length).toBeGreaterThan(5_000);
    // What follows the damage may look like text for a while.
    expect(read.at(-1)).toMatchObject({ fault: { code: 'unreadable' } });
  });

  test('may be several members of gzip', async () => {
    const both = Buffer.concat([gzipSync('{"a":1}\n'), gzipSync('{"b":2}\n')]);
    expect(told(await readFileOf(both))).toEqual(['1 {"a":1}', '2 {"b":2}']);
  });

  test('has no event above the bound, and goes on behind it', async () => {
    const large = `{"a":"${'x'.repeat(EVENT_BYTES_MAX)}"}`;
    expect(told(await readFileOf(`${large}\n{"b":1}\n`))).toEqual(['1 event_too_large', '2 {"b":1}']);
    expect(told(await readFileOf(`[${large},\n{"b":1}]`))).toEqual(['1 event_too_large', '2 {"b":1}']);
  });
});

test('documents are the same however the text is cut into chunks', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 })),
      fc.constantFrom(undefined, 1, '\t'),
      fc.integer({ min: 1, max: 9 }),
      async (objects, space, bytes) => {
        const text = Buffer.from(JSON.stringify(objects, null, space));
        async function* chunks() {
          for (let at = 0; at < text.length; at += bytes) yield Buffer.from(text.subarray(at, at + bytes));
        }
        const read: unknown[] = [];
        for await (const one of splitDocuments(chunks(), EVENT_BYTES_MAX)) {
          if (!('line' in one)) throw new Error(JSON.stringify(one));
          expect(one.line.includes('\n')).toBe(false);
          read.push(JSON.parse(one.line.toString('utf8')));
        }
        expect(read).toEqual(JSON.parse(text.toString('utf8')));
      },
    ),
  );
});

test.each([
  ['{"a":1}\n{"b":1}', true],
  ['{"a":1}', true],
  ['{"a":"{"}\n  {"b":1}', true],
  ['{"a":"cut\n "b":1}', true],
  ['{\n  "a": 1', false],
  ['{"a": [\n"b"', false],
  ['\n\n[\n{', false],
  ['[1,2]', true],
])('%j keeps to lines: %s', (text, expected) => {
  expect(keepsToLines(Buffer.from(text))).toBe(expected);
});
