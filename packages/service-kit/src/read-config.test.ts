import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  ConfigError,
  describeConfigError,
  environment,
  readCheckedConfig,
  readConfig,
} from './read-config.ts';

const schema = z.object({
  PORT: environment.port().default(80),
  COUNT: environment.integer(1, 10).optional(),
  OPEN: environment.flag().default(false),
  BROKERS: environment.list().optional(),
  DB_PASSWORD: z.string().max(3, 'is too long').optional(),
});

function faultsOf(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('reading the environment', () => {
  test('returns values of the right types, and defaults for variables that are not set', () => {
    expect(readConfig(schema, { PORT: '0', OPEN: '1', BROKERS: ' a:1, b:2 ,' })).toEqual({
      PORT: 0,
      OPEN: true,
      BROKERS: ['a:1', 'b:2'],
    });
    expect(readConfig(schema, {})).toEqual({ PORT: 80, OPEN: false });
  });

  test('counts an empty variable as not set', () => {
    expect(readConfig(schema, { PORT: '', COUNT: '' })).toEqual({ PORT: 80, OPEN: false });
  });

  test('names every faulty variable at once, with its value', () => {
    expect(
      faultsOf(() => readConfig(schema, { PORT: '70000', COUNT: 'ten', OPEN: 'yes', BROKERS: ',' })),
    ).toEqual([
      'PORT must be a whole number from 0 to 65535 (is "70000")',
      'COUNT must be a whole number from 1 to 10 (is "ten")',
      'OPEN must be true or false (is "yes")',
      'BROKERS must be a comma-separated list (is ",")',
    ]);
  });

  test('never repeats a password', () => {
    expect(faultsOf(() => readConfig(schema, { DB_PASSWORD: 'hunter22' }))).toEqual([
      'DB_PASSWORD is too long',
    ]);
  });

  test('accepts whole numbers within the range and nothing else', () => {
    const port = z.object({ PORT: environment.port() });
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: -10, max: 70_000 }).map(String), fc.string(), fc.double().map(String)),
        (text) => {
          fc.pre(text !== '');
          const isPort = /^\d{1,15}$/.test(text) && Number(text) <= 65_535;
          if (isPort) expect(readConfig(port, { PORT: text }).PORT).toBe(Number(text));
          else expect(faultsOf(() => readConfig(port, { PORT: text }))).toHaveLength(1);
        },
      ),
    );
  });

  test('describes each fault on a line of its own', () => {
    expect(describeConfigError(new ConfigError(['A is wrong', 'B too']))).toBe(
      'configuration is not usable:\n  - A is wrong\n  - B too\n',
    );
  });
});

describe('faults that several variables show together', () => {
  const together = (variables: z.infer<typeof schema>) => [
    ...(variables.OPEN && variables.PORT < 1_024 ? ['OPEN=true with PORT below 1024'] : []),
    ...(variables.OPEN && variables.COUNT === undefined ? ['OPEN=true needs COUNT'] : []),
  ];

  test('are reported together with those of single variables', () => {
    expect(
      faultsOf(() => readCheckedConfig(schema, { OPEN: 'true', DB_PASSWORD: 'hunter22' }, together)),
    ).toEqual(['DB_PASSWORD is too long', 'OPEN=true with PORT below 1024', 'OPEN=true needs COUNT']);
  });

  test('are not reported if they name a variable that cannot be read', () => {
    expect(faultsOf(() => readCheckedConfig(schema, { OPEN: 'true', COUNT: 'ten' }, together))).toEqual([
      'COUNT must be a whole number from 1 to 10 (is "ten")',
      'OPEN=true with PORT below 1024',
    ]);
  });

  test('leave a good configuration alone', () => {
    expect(readCheckedConfig(schema, { OPEN: 'true', COUNT: '3', PORT: '8080' }, together)).toEqual({
      OPEN: true,
      COUNT: 3,
      PORT: 8080,
    });
  });
});
