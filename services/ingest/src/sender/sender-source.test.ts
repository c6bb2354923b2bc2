import { describe, expect, it } from 'vitest';
import { fitRunKeyPart } from './fit-names.ts';
import { sourceOfBody } from './sender-source.ts';

function itemOf(json: string) {
  const source = sourceOfBody(Buffer.from(json), { format: 'json', defaultRunId: 'default' });
  if (source.kind !== 'source') throw new Error(source.message);
  return source.item(0);
}

describe('an object of a foreign sender', () => {
  it.each([
    ['{"run_id":4711}', '4711'],
    ['{"run_id":7.5}', '7.5'],
    ['{"run_id":null,"run":"r1"}', 'r1'],
    ['{"n":1}', 'default'],
  ])('%s is of the run %s', (json, run_id) => {
    expect(itemOf(json)).toMatchObject({ kind: 'made', fields: { run_id } });
  });

  it.each([
    ['{"run_id":20260103123456789012}', 'rounded'],
    ['{"run_id":true}', 'true or false'],
    ['{"attributes":{"SLURM_JOB_ID":1e20}}', 'rounded'],
  ])('%s is refused, because several runs would become one', (json, said) => {
    expect(itemOf(json)).toMatchObject({ kind: 'unmakeable', message: expect.stringContaining(said) });
  });

  it('is of different runs for names that UTF-8 cannot tell apart', () => {
    const names = ['s\ud800', 's\ud801', 's\ufffd'].map(fitRunKeyPart);
    expect(new Set(names).size).toBe(3);
  });

  it('may have the time of others although all else is ours', () => {
    const json = '{"event_id":"e1","event_type":"STEP","run_id":"r1","timestamp":"2026-01-03T23:59:47"}';
    expect(itemOf(json)).toMatchObject({
      kind: 'made',
      fields: { event_id: 'e1', timestamp: '2026-01-03T23:59:47Z' },
    });
    const never = json.replace('2026-01-03T23:59:47', 'yesterday');
    expect(itemOf(never)).toMatchObject({ kind: 'unmakeable', path: 'timestamp' });
  });
});
