import { isDeepStrictEqual } from 'node:util';
import { withoutRanges } from './expand-frame.ts';
import type { HandedOver } from './handed-over.ts';
import { seqOf } from './handed-over.ts';
import { RUN, type Scenario } from './scenario.ts';
import type { ScriptedHistory } from './scripted-history.ts';

/** Returns how what a client handed over differs from what a scenario expects; nothing if it does not. */
export function differences(
  expect: Scenario['expect'],
  seen: { handed: HandedOver; history: ScriptedHistory },
): string[] {
  const { handed, history } = seen;
  const faults: string[] = [];
  const compare = (what: string, expected: unknown, found: unknown) => {
    if (!isDeepStrictEqual(found, expected)) {
      faults.push(`${what}: expected ${JSON.stringify(expected)}, seen ${JSON.stringify(found)}`);
    }
  };
  const expectedLines = {
    ...expect.handed_of,
    ...(expect.handed === undefined ? {} : { [RUN]: expect.handed }),
  };
  for (const [run, lines] of Object.entries(expectedLines)) {
    compare(`handed over of ${run}`, lines.flatMap(entryLines), handed.of(run));
  }
  for (const [part, value] of Object.entries(expect.state ?? {})) {
    const state = handed.states.get(RUN) ?? {};
    compare(`state, ${part}`, ...partOf(part, value, state));
  }
  for (const [part, value] of Object.entries(expect.index ?? {})) {
    compare(`index, ${part}`, value, (handed.index as Readonly<Record<string, unknown>> | null)?.[part]);
  }
  for (const [part, value] of Object.entries(expect.figures ?? {})) {
    compare(`figures, ${part}`, value, (handed.figures as Readonly<Record<string, unknown>> | null)?.[part]);
  }
  if (expect.feed !== undefined) compare('feed', expect.feed, handed.feed);
  if (history.queries.length > (expect.requests_max ?? Number.POSITIVE_INFINITY)) {
    faults.push(`${history.queries.length} requests for history: ${history.queries.join(' ')}`);
  }
  return faults;
}

/** Whether what was handed over can no longer become what is expected: something in it is wrong, or too much. */
export function isHopeless(expect: Scenario['expect'], handed: HandedOver): boolean {
  return linesOf(expect).some(([run, lines]) => handed.of(run).some((line, at) => line !== lines[at]));
}

/** By run, the lines that are expected. */
function linesOf({ handed, handed_of }: Scenario['expect']): [run: string, lines: string[]][] {
  const expected = handed === undefined ? handed_of : { ...handed_of, [RUN]: handed };
  return Object.entries(expected).map(([run, lines]) => [run, lines.flatMap(entryLines)]);
}

/** `entry 42..44` stands for three lines. */
function entryLines(line: string): string[] {
  const range = /^entry (\d+\.\.\d+)$/.exec(line)?.[1];
  return range === undefined ? [line] : withoutRanges([range]).map((seq) => `entry ${String(seq)}`);
}

/** Returns what a part of the state should be and is. Entries are compared by their seqs. */
function partOf(
  part: string,
  value: unknown,
  state: Readonly<Record<string, unknown>>,
): [expected: unknown, found: unknown] {
  if (part === 'seq') return [value, Object.keys(state).length === 0 ? undefined : seqOf(state)];
  if (part === 'event_log' || part === 'milestones') {
    const entries = state[part] as { seq: number }[] | undefined;
    return [withoutRanges(value as unknown[]), entries?.map(({ seq }) => seq)];
  }
  return [value, state[part]];
}
