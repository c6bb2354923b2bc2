import { readFileSync } from 'node:fs';

/** A recording from the original system's generator, with the event log that its own aggregator made from it. */
export interface Recording {
  readonly name: string;
  /** One JSON text per line, as recorded, including bare NaN. */
  readonly lines: readonly string[];
  readonly expected: Readonly<Record<string, ExpectedRun>>;
}

export interface ExpectedRun {
  readonly event_log: readonly {
    timestamp: string;
    event_type: string;
    env_id: number | null;
    message: string;
    episode: number;
    metadata: Record<string, string | number>;
  }[];
  readonly total_events_received: number;
  readonly current_episode: number;
  readonly current_batch: number;
  readonly task_name: string;
  readonly cumulative_germinated: number;
  readonly cumulative_fossilized: number;
  readonly cumulative_pruned: number;
}

export function recording(name: 'short' | 'one-env'): Recording {
  const file = (suffix: string) => new URL(`../fixtures/${name}.${suffix}`, import.meta.url);
  return {
    name,
    lines: readFileSync(file('events.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line !== ''),
    expected: JSON.parse(readFileSync(file('expected.json'), 'utf8')) as Recording['expected'],
  };
}

/** Returns the counters that the expectations name, from anything that looks like a snapshot. */
export function countersOf(run: Omit<ExpectedRun, 'event_log'>): Omit<ExpectedRun, 'event_log'> {
  return {
    total_events_received: run.total_events_received,
    current_episode: run.current_episode,
    current_batch: run.current_batch,
    task_name: run.task_name,
    cumulative_germinated: run.cumulative_germinated,
    cumulative_fossilized: run.cumulative_fossilized,
    cumulative_pruned: run.cumulative_pruned,
  };
}

/** Returns entries without the fields that runlog adds to TELE-810's. */
export function plainEntries(
  entries: readonly (ExpectedRun['event_log'][number] & {
    seq?: number;
    occurred_at?: string;
    relative_time?: string;
    severity?: string;
    values?: object;
  })[],
): ExpectedRun['event_log'] {
  return entries.map(
    ({ seq: _s, occurred_at: _o, relative_time: _r, severity: _v, values: _d, ...entry }) => entry,
  );
}
