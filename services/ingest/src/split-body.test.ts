import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { duplicateName, quoteNonFinite, type Split, splitJson, splitLines } from './split-body.ts';

const EVENTS_MAX = 1_000;

function texts(body: Buffer, split: Split): string[] {
  if (split.kind !== 'events') throw new Error(`not split: ${JSON.stringify(split)}`);
  return split.ranges.map((range) => body.toString('utf8', range.start, range.end));
}

function splitText(text: string): string[] {
  const body = Buffer.from(text);
  return texts(body, splitJson(body, EVENTS_MAX));
}

/** Does what ingest does: the walk finds the events, and `JSON.parse` parses each. */
function parsedBySplit(body: Buffer): { value: unknown[] } | 'refused' {
  const split = splitJson(body, EVENTS_MAX);
  if (split.kind !== 'events') return 'refused';
  try {
    return { value: texts(body, split).map((text) => JSON.parse(text) as unknown) };
  } catch {
    return 'refused';
  }
}

function parsedWhole(text: string): { value: unknown[] } | 'refused' {
  try {
    const value: unknown = JSON.parse(text);
    return { value: Array.isArray(value) ? value : [value] };
  } catch {
    return 'refused';
  }
}

const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
const jsonText = fc
  .tuple(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(undefined, 1, '\t'))
  .map(([value, indent]) => JSON.stringify(value, null, indent));
const arrayText = fc
  .tuple(fc.array(fc.tuple(space, jsonText, space), { maxLength: 8 }), space, space, space)
  .map(
    ([elements, before, after, inside]) =>
      `${before}[${elements.length === 0 ? inside : elements.map((parts) => parts.join('')).join(',')}]${after}`,
  );

describe('splitJson', () => {
  it('finds the elements that JSON.parse finds, however the array is spaced', () => {
    fc.assert(
      fc.property(arrayText, (text) => {
        expect(parsedBySplit(Buffer.from(text))).toEqual({ value: JSON.parse(text) as unknown });
      }),
    );
  });

  it('accepts exactly the texts that JSON.parse accepts, when one place of an array is damaged', () => {
    const damage = fc.constantFrom(
      '[',
      ']',
      '{',
      '}',
      ',',
      ':',
      '"',
      '\\',
      ' ',
      '0',
      'x',
      '\u0000',
      '\u00a0',
      '',
    );
    fc.assert(
      fc.property(arrayText, fc.nat(), fc.nat({ max: 2 }), damage, (text, place, removed, added) => {
        const at = place % (text.length + 1);
        const damaged = text.slice(0, at) + added + text.slice(at + removed);
        // A text that is cut through a surrogate pair cannot arrive as UTF-8.
        fc.pre(Buffer.from(damaged).toString() === damaged);
        expect(parsedBySplit(Buffer.from(damaged))).toEqual(parsedWhole(damaged));
      }),
      { numRuns: 2_000 },
    );
  });

  it('accepts exactly the strings of structural characters that JSON.parse accepts', () => {
    const soup = fc.array(fc.constantFrom('[', ']', '{', '}', ',', ':', '"', '"a"', '1', 'null', ' ', '\\'), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(soup, (parts) => {
        const text = parts.join('');
        expect(parsedBySplit(Buffer.from(text))).toEqual(parsedWhole(text));
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    ['', 'empty'],
    [' \n', 'empty'],
    ['[', 'cut off'],
    ['[1', 'cut off'],
    ['[1,', 'cut off'],
    ['["]', 'cut off'],
    ['["\\"]', 'cut off'],
    ['[{"a":[1,2]', 'cut off'],
    ['[1,]', 'missing'],
    ['[,1]', 'missing'],
    ['[1,,2]', 'missing'],
    ['[]]', 'follows'],
    ['[1]2', 'follows'],
    ['[1][2]', 'follows'],
    ['[1}', 'bracket'],
    ['[{}}]', 'bracket'],
  ])('refuses %j: %s', (text, reason) => {
    const split = splitJson(Buffer.from(text), EVENTS_MAX);
    expect(split).toMatchObject({ kind: 'broken', message: expect.stringContaining(reason) });
  });

  it('reads a body that is not an array as one event', () => {
    expect(splitText(' {"a":[1,2],"b":","} \r\n')).toEqual(['{"a":[1,2],"b":","}']);
  });

  it('skips a byte order mark, which is not part of the first event', () => {
    expect(splitText('\ufeff[{"a":1}]')).toEqual(['{"a":1}']);
    expect(splitText('\ufeff{"a":1}')).toEqual(['{"a":1}']);
  });

  it('is not deceived by brackets, commas and escaped quotes in strings', () => {
    expect(splitText('["],[", "\\"]", "\\\\", {"]":"}"}]')).toEqual([
      '"],["',
      '"\\"]"',
      '"\\\\"',
      '{"]":"}"}',
    ]);
  });

  it('counts depth and the outermost members', () => {
    const split = splitJson(Buffer.from('[{"a":{"b":[{}]},"c":1}, 5, [], {}]'), EVENTS_MAX);
    expect(split).toMatchObject({
      ranges: [
        { depth: 4, members: 2 },
        { depth: 0, members: 0 },
        { depth: 1, members: 0 },
        { depth: 1, members: 0 },
      ],
    });
  });

  it('stops at the first event beyond the bound', () => {
    expect(splitJson(Buffer.from('[1,2,3]'), 3).kind).toBe('events');
    expect(splitJson(Buffer.from('[1,2,3,4,5'), 3).kind).toBe('too_many');
  });
});

describe('splitLines', () => {
  const lines = (text: string) => {
    const body = Buffer.from(text);
    return texts(body, splitLines(body, EVENTS_MAX));
  };

  it('accepts LF and CR LF, and does not count blank lines', () => {
    expect(lines('{"a":1}\n\n \t\r\n{"b":2}\r\n  {"c":3}  ')).toEqual(['{"a":1}', '{"b":2}', '{"c":3}']);
    expect(lines('')).toEqual([]);
    expect(lines('\n\r\n')).toEqual([]);
  });

  it('skips a byte order mark', () => {
    expect(lines('\ufeff{"a":1}\n{"b":2}')).toEqual(['{"a":1}', '{"b":2}']);
    expect(lines('\ufeff')).toEqual([]);
  });

  it('isolates a broken line', () => {
    expect(lines('{"a":\n]]]\n"\n{"b":2}')).toEqual(['{"a":', ']]]', '"', '{"b":2}']);
  });

  it('returns the texts of any list of values', () => {
    const compact = fc.array(fc.jsonValue().map((value) => JSON.stringify(value)));
    fc.assert(
      fc.property(compact, fc.constantFrom('\n', '\r\n', '\n\n'), (values, separator) => {
        expect(lines(values.join(separator))).toEqual(values);
      }),
    );
  });

  it('stops at the first line beyond the bound', () => {
    expect(splitLines(Buffer.from('1\n2\n\n'), 2).kind).toBe('events');
    expect(splitLines(Buffer.from('1\n2\n3'), 2).kind).toBe('too_many');
  });
});

describe('duplicateName', () => {
  const duplicate = (text: string) => {
    const bytes = Buffer.from(text);
    return duplicateName(bytes, { start: 0, end: bytes.length, depth: 0, members: 0 });
  };

  it.each([
    ['{"run_id":"a","run_id":"b"}', 'run_id'],
    ['{"run_id":"a","run\\u005fid":"b"}', 'run_id'],
    ['{"":1,"":2}', ''],
    ['{"__proto__":1,"__proto__":2}', '__proto__'],
    ['{"\\ud800":1,"\\uD800":2}', '\ud800'],
    ['{"a":{"b":1,"b":2},"c":":"}', null],
    ['{"a":"b","b":"a"}', null],
    ['{}', null],
  ])('finds in %s the name %j', (text, name) => {
    expect(duplicate(text)).toBe(name);
  });
});

describe('quoteNonFinite', () => {
  const quoted = (text: string) => quoteNonFinite(Buffer.from(text))?.toString() ?? null;

  it.each([
    ['{"a":NaN}', '{"a":"NaN"}'],
    ['{"a": -Infinity , "b":Infinity}', '{"a": "-Infinity" , "b":"Infinity"}'],
    ['[NaN,NaN,[NaN]]', '["NaN","NaN",["NaN"]]'],
    ['NaN', '"NaN"'],
    ['{"a":"NaN","b":NaN}', '{"a":"NaN","b":"NaN"}'],
    ['{"a":"\\"NaN,","b":NaN}', '{"a":"\\"NaN,","b":"NaN"}'],
  ])('writes %s as %s', (text, expected) => {
    expect(quoted(text)).toBe(expected);
  });

  it.each([
    '{"a":"NaN"}',
    '{"a":":NaN,"}',
    '{NaN:1}',
    '{"a":1,NaN:1}',
    '{"a":1,NaN :1}',
    '{"a":NaNa}',
    '{"a":aNaN}',
    '{"a":+Infinity}',
    '{"a":-NaN}',
    '{"a":--Infinity}',
    '{"a":nan}',
    '{"a":Infinit',
    '{"a":N',
  ])('leaves %s alone', (text) => {
    expect(quoted(text)).toBeNull();
  });

  it('turns what Python writes into what proto3 writes, for any value', () => {
    const number = fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1.5);
    const value = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        number,
        fc.string(),
        fc.constantFrom('NaN', ',NaN,', '"', ':Infinity}'),
        fc.array(tie('node'), { maxLength: 4 }),
        fc.dictionary(fc.string(), tie('node'), { maxKeys: 4 }),
      ),
    })).node;
    fc.assert(
      fc.property(value, (input) => {
        const python = write(input, (x) => String(x));
        const strict = write(input, (x) => JSON.stringify(String(x)));
        expect(quoted(python) ?? python).toBe(strict);
      }),
    );
  });

  it('never makes JSON from a text that is broken in another way', () => {
    const soup = fc.array(
      fc.constantFrom('[', ']', '{', '}', ',', ':', '"', '"a"', '1', 'NaN', '-Infinity', ' '),
      {
        maxLength: 10,
      },
    );
    fc.assert(
      fc.property(soup, (parts) => {
        const text = parts.join('');
        const result = quoted(text);
        if (result === null || parsedWhole(result) === 'refused') return;
        // Then the text must also have been valid with numbers in the places of the literals.
        expect(
          parsedWhole(parts.map((part) => (/^(NaN|-Infinity)$/.test(part) ? '0' : part)).join('')),
        ).not.toBe('refused');
      }),
      { numRuns: 3_000 },
    );
  });
});

/** Writes JSON, with numbers that are not finite written by `nonFinite`. */
function write(value: unknown, nonFinite: (x: number) => string): string {
  if (typeof value === 'number' && !Number.isFinite(value)) return nonFinite(value);
  if (Array.isArray(value)) return `[${value.map((each) => write(each, nonFinite)).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([name, each]) => `${JSON.stringify(name)}: ${write(each, nonFinite)}`,
    );
    return `{${members.join(', ')}}`;
  }
  return JSON.stringify(value);
}
