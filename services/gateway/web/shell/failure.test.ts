import { describe, expect, it } from 'vitest';
import { describeFailure, type PageFailure } from './failure.tsx';

const KEY = 'c1/r1/default';
const failures: PageFailure[] = [
  { kind: 'unknown_address', text: '%' },
  { kind: 'name_too_long', text: `c1/${'r'.repeat(65)}/default` },
  { kind: 'unknown_run', key: KEY },
  { kind: 'deleted', key: KEY },
  { kind: 'forbidden', key: KEY, message: 'not with this key' },
  { kind: 'refused_origin', message: 'pages of http://evil may not read: name it in RUNLOG_ALLOWED_ORIGINS' },
  { kind: 'server_away' },
];

describe('a failure of the page', () => {
  it.each(failures)('$kind is said in one sentence', (of) => {
    const { title, sentence } = describeFailure(of);
    expect(title).toMatch(/^[A-Z][^.]*$/);
    expect(sentence).not.toMatch(/[.!?] +[A-Z]/);
    if ('key' in of) expect(sentence).toContain(of.key);
  });

  it('shows an address of somebody else as what it is, and not all of it', () => {
    const { sentence } = describeFailure({ kind: 'unknown_address', text: `\u202e\n${'x'.repeat(5_000)}` });
    expect(sentence).toContain('<202E>␊xxx');
    expect(sentence.length).toBeLessThan(400);
  });
});
