import { describe, expect, it } from 'vitest';
import { fitRunKeyPart } from './fit-names.ts';
import { keyedDoor } from './sender-doors.ts';
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

describe('a damaged body of a sender that repeats what is refused for ever', () => {
  it.each([
    ['cut off within an event', '[{"n":1},{"n":2},{"n":', 2, '{"n":', 'cut off'],
    ['cut off within a text', '[{"n":1},{"n":"a,{', 1, '{"n":"a,{', 'cut off'],
    ['cut off after an event', '[{"n":1},{"n":2}', 2, '[{"n":1},{"n":2}', 'cut off'],
    ['cut off after a comma', '[{"n":1},', 1, '[{"n":1},', 'cut off'],
    ['without an event between commas', '[{"n":1},,{"n":2}]', 2, '[{"n":1},,{"n":2}]', 'missing'],
    ['with a bracket too many', '[{"n":1}},{"n":2}]', 2, '[{"n":1}},{"n":2}]', 'unexpected bracket'],
    ['with a second array that is cut off', '[{"n":1}][{"n":2},{"n', 2, '{"n', 'cut off'],
  ])('is stored as far as it can be read: %s', (_, body, good, kept, said) => {
    const source = keyedDoor.sourceOf(Buffer.from(body), { format: 'json', defaultRunId: 'default' });
    if (source.kind !== 'source') throw new Error(source.message);
    const items = Array.from({ length: source.total }, (_, index) => source.item(index));
    expect(items.filter(({ kind }) => kind === 'made')).toHaveLength(good);
    const rest = items.filter((item) => item.kind === 'unmakeable');
    expect(rest.map(({ raw, message }) => [raw.toString(), message])).toEqual([
      [kept, expect.stringContaining(said)],
    ]);
  });

  it('is stored but for the event that is no UTF-8', () => {
    const body = Buffer.concat([Buffer.from('[{"n":1},{"n":"'), Buffer.of(0xff), Buffer.from('"},{"n":2}]')]);
    const source = keyedDoor.sourceOf(body, { format: 'json', defaultRunId: 'default' });
    if (source.kind !== 'source') throw new Error(source.message);
    const items = Array.from({ length: source.total }, (_, index) => source.item(index));
    expect(items.map((item) => ('code' in item ? item.code : item.kind))).toEqual([
      'made',
      'invalid_utf8',
      'made',
    ]);
  });

  it.each([['[{"cut off'], ['[{'], ['['], ['nothing']])('without one event is kept: %s', (body) => {
    const source = keyedDoor.sourceOf(Buffer.from(body), { format: 'json', defaultRunId: 'default' });
    if (source.kind === 'unreadable') return;
    for (let index = 0; index < source.total; index += 1) {
      expect(source.item(index)).toMatchObject({ kind: 'unmakeable' });
    }
  });
});
