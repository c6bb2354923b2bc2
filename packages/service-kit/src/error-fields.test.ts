import { expect, it } from 'vitest';
import { errorFields } from './error-fields.ts';

it('says what is in the message already only once, and a cause that is not', () => {
  const refused = new Error('connect ECONNREFUSED 127.0.0.1:9');
  const told = new Error(`kafka:9: nothing listens there (${refused.message})`, { cause: refused });
  const read = new Error(`read topic run-meta: ${told.message}`, { cause: told });
  const wrapped = new Error('the start failed', { cause: read });
  expect(errorFields(read)).toMatchObject({ type: 'Error', message: read.message });
  expect(errorFields(wrapped)).toMatchObject({ message: `the start failed: ${read.message}` });
  expect(errorFields(wrapped)).toHaveProperty(
    'stack',
    expect.stringContaining('caused by: Error: read topic'),
  );
});

it('ends with causes in a circle, and leaves alone what is no error', () => {
  const first = new Error('one');
  first.cause = new Error('two', { cause: first });
  expect(errorFields(first)).toMatchObject({ message: 'one: two' });
  expect(errorFields('a word')).toBe('a word');
});
