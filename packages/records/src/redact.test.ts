import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redact } from './redact.ts';

describe('redaction', () => {
  it.each([
    ['{"password":"hunter2","run_id":"r1"}', '{"password":"[redacted]","run_id":"r1"}'],
    ['{"data":{"api_key" : "a\\"b", "loss": 1}}', '{"data":{"api_key" : "[redacted]", "loss": 1}}'],
    ['{"apiKey":12345,"x":1}', '{"apiKey":"[redacted]","x":1}'],
    ['{"wandb_api_key":null}', '{"wandb_api_key":"[redacted]"}'],
    ['{"token":["a","b]"],"x":[1]}', '{"token":"[redacted]","x":[1]}'],
    ['{"credentials":{"user":"u","more":{"p":"}"}},"x":1}', '{"credentials":"[redacted]","x":1}'],
    ['{"Authorization":"Basic dTpw"}', '{"Authorization":"[redacted]"}'],
    ['{"message":"sent Bearer abcdefgh.123 along"}', '{"message":"sent Bearer [redacted] along"}'],
    ['{"client-secret":"cut o', '{"client-secret":"[redacted]"'],
    ['{"secret":{"cut":["o', '{"secret":"[redacted]"'],
    ['no json "password": hunter2\nnext', 'no json "password": "[redacted]"\nnext'],
  ])('of %s gives %s', (text, expected) => {
    expect(redact(text)).toBe(expected);
  });

  it.each([
    '{"entropy":1.2,"author":"x","tokenizer":"bpe","total_tokens":1,"monkey":"k"}',
    '{"message":"the password is not here","key":"c1/r1"}',
    '',
    '"',
    '{"a":"\\',
  ])('leaves %s as it is', (text) => {
    expect(redact(text)).toBe(text);
  });

  it('hides the secret in any JSON, and leaves valid JSON with everything else unchanged', () => {
    const value = fc.oneof(
      fc.string(),
      fc.json(),
      fc.array(fc.string()),
      fc.dictionary(fc.string(), fc.string()),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), value), value, (others, secret) => {
        const harmless = JSON.stringify({ others: 'x' });
        expect(redact(harmless)).toBe(harmless);
        const text = JSON.stringify({ ...{ a: 1 }, password: secret, after: 1 });
        expect(JSON.parse(redact(text))).toEqual({ a: 1, password: '[redacted]', after: 1 });
        expect(() => redact(JSON.stringify(others))).not.toThrow();
      }),
    );
  });

  it('takes time in proportion to the text', () => {
    const texts = ['"', '"a":', '{"password":', '["', '\\"', '"token":[', 'bearer '].map((part) =>
      part.repeat(65_536 / part.length),
    );
    // The test measures CPU time, because other processes may have run meanwhile. Quadratic time would be minutes.
    const before = process.cpuUsage();
    for (const text of texts) redact(text);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(2_000);
  });
});
