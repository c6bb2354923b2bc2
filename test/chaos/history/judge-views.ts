import { grouped } from './grouped.ts';
import type { Observation } from './observation.ts';
import type { RunRecords, TopicTruth } from './topic-truth.ts';
import type { Violation } from './violation.ts';

type Seen = Extract<Observation, { kind: 'shown' | 'skipped' | 'restarted' | 'settled' }>;

/** Judges what each viewer was given of each run: every entry once and in order, and whatever was left out was said. */
export function judgeViews(seen: readonly Seen[], truth: TopicTruth): Violation[] {
  const views = grouped(seen, ({ by, key }) => `${by} of ${key}`);
  return [...views].flatMap(([view, observations]) => {
    const run = truth.runs.get(observations[0]!.key);
    return judgeView({ view, observations, run });
  });
}

function judgeView(of: {
  view: string;
  observations: readonly Seen[];
  run: RunRecords | undefined;
}): Violation[] {
  const { view, observations, run } = of;
  const violations: Violation[] = [];
  const firsts = [...(run?.firstOffsets ?? [])];
  const ids = new Map(firsts.map(([id, offset]) => [offset, id]));
  const offsets = [...ids.keys()];
  let at = -1;
  let skips: { after: number; before: number }[] = [];
  const noteUnshown = (before: number) => {
    const left = offsetsBetween(offsets, { after: at, before }).filter(
      (offset) => !skips.some((skip) => skip.after < offset && offset < skip.before),
    );
    if (left.length === 0) return;
    const what = `${view}: ${left.length} entries after ${at} and before ${before} were left out: ${left.slice(0, 5).join(', ')}`;
    violations.push({ kind: 'not shown', what });
  };
  for (const observation of observations) {
    switch (observation.kind) {
      case 'shown': {
        const { seq, id } = observation;
        if (seq <= at) violations.push({ kind: 'shown again', what: `${view}: ${id} at ${seq} after ${at}` });
        else {
          noteUnshown(seq);
          skips = [];
          at = seq;
        }
        if (ids.get(seq) !== id) violations.push(judgeEntry({ view, seq, id, run }));
        break;
      }
      case 'skipped':
        skips.push(observation);
        break;
      case 'restarted':
        at = observation.seq;
        skips = [];
        break;
      case 'settled':
        noteUnshown(Number.POSITIVE_INFINITY);
        break;
      default: {
        const unreachable: never = observation;
        throw new Error(`unknown observation ${JSON.stringify(unreachable)}`);
      }
    }
  }
  return violations;
}

/** Says what is wrong with an entry that is not the first record of its event. */
function judgeEntry(of: { view: string; seq: number; id: string; run: RunRecords | undefined }): Violation {
  const first = of.run?.firstOffsets.get(of.id);
  if (first === undefined || first > of.seq) {
    return {
      kind: 'shown without a record',
      what: `${of.view}: ${of.id} at ${of.seq} is not there in the log`,
    };
  }
  return {
    kind: 'shown again',
    what: `${of.view}: ${of.id} at ${of.seq} is a repeat of the one at ${first}`,
  };
}

function offsetsBetween(sorted: readonly number[], of: { after: number; before: number }): number[] {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! <= of.after) low = middle + 1;
    else high = middle;
  }
  const between: number[] = [];
  for (let index = low; index < sorted.length && sorted[index]! < of.before; index += 1)
    between.push(sorted[index]!);
  return between;
}
