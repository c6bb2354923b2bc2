import { expect, it } from 'vitest';
import { closeCodes, mayReconnect } from './close-codes.ts';

it.each(Object.entries(closeCodes))(
  'reconnects after %s if its row says so',
  (_reason, { close, reconnect }) => {
    expect(mayReconnect(close)).toBe(reconnect);
  },
);

it.each([
  ['a normal close', 1000, true],
  ['no close frame', 1006, true],
  ['a newer code that asks to come back', 4499, true],
  ['a newer code that asks to stay away', 4999, false],
  ['a code past the range', 5000, true],
])('judges %s by its range', (_name, code, expected) => {
  expect(mayReconnect(code)).toBe(expected);
});
