import { describe, expect, it } from 'vitest';
import { curlLine } from './curl-line.ts';

const of = { url: 'http://host:4000/sub/', key: 'c1/r/A', at: null, needsKey: false };

describe('the command that reads a run', () => {
  it.each([
    [of, "curl -s 'http://host:4000/sub/v1/runs/c1/r/A'"],
    [{ ...of, at: 41 }, "curl -s 'http://host:4000/sub/v1/runs/c1/r/A?at=41'"],
    [
      { ...of, needsKey: true },
      `curl -s -H "Authorization: Bearer $RUNLOG_KEY" 'http://host:4000/sub/v1/runs/c1/r/A'`,
    ],
    [{ ...of, url: "http://host/it's/" }, "curl -s 'http://host/it%27s/v1/runs/c1/r/A'"],
  ])('%o is %s', (asked, line) => {
    expect(curlLine(asked)).toBe(line);
  });
});
