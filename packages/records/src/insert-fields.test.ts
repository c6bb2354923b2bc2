import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { insertFields } from './insert-fields.ts';

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
            { name: 'new', json: JSON.stringify(value), replaces: false },
            { name: 'nil', json: '"filled"', replaces: true },
          ]);
          const expected = { new: value, ...object, nil: 'filled', last: { nil: null } };
          expect(JSON.parse(result.toString('utf8'))).toEqual(JSON.parse(JSON.stringify(expected)));
        },
      ),
    );
  });
});
