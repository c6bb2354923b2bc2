import { readFileSync } from 'node:fs';
import { severityOf } from '@runlog/run-state/severity';
import { severitySchema } from '@runlog/schema/run/snapshot';
import { expect, it } from 'vitest';

const protocol = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');

it('docs/protocol.md says which level each text and number means', () => {
  const rows = protocol
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, level]) => severitySchema.safeParse(level).success);
  expect(rows.map(([, level]) => level)).toEqual(severitySchema.options);
  for (const [, level, texts, numbers] of rows) {
    for (const [, text] of texts!.matchAll(/`([^`]+)`/g))
      expect([text, severityOf(text)]).toEqual([text, level]);
    const from = /^from (\d+)$/.exec(numbers!);
    if (from !== null) expect(severityOf(Number(from[1]))).toBe(level);
    else expect([numbers, severityOf(19.9)]).toEqual(['below 20', level]);
  }
});
