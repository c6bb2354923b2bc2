import { isDeepStrictEqual } from 'node:util';

/** What a training's script wrote: what the library itself says that it logged. */
export interface Expected {
  readonly version: string;
  readonly metrics: readonly ExpectedMetrics[];
}

export interface ExpectedMetrics {
  readonly run: string;
  readonly group: string;
  /** Null if the library keeps it among the metrics. */
  readonly step: number | null;
  readonly metrics: Readonly<Record<string, unknown>>;
}

export interface RunRow {
  readonly run_id: string;
  readonly group_id: string;
  readonly status: string;
  readonly missing: number;
  readonly attempt: number;
  readonly end: { readonly reason: string | null } | null;
}

interface Item {
  readonly duplicate: boolean | null;
  readonly event: { readonly event_type: string; readonly data?: Readonly<Record<string, unknown>> };
}

const ARRIVED_MS_MAX = 60_000;

/** Waits until every expected call has its event, and says which have none. */
export async function arrivedOf(
  gateway: string,
  expected: readonly ExpectedMetrics[],
): Promise<{ rows: readonly RunRow[]; found: number; faults: readonly string[] }> {
  const until = Date.now() + ARRIVED_MS_MAX;
  for (;;) {
    const { runs: rows } = await json<{ runs: RunRow[] }>(`${gateway}/v1/runs`);
    const unmatched = await unmatchedOf(gateway, rows, expected);
    if ((unmatched.length === 0 && rows.every(({ missing }) => missing === 0)) || Date.now() > until) {
      const faults = unmatched.slice(0, 5).map((call) => `no event for ${JSON.stringify(call)}`);
      return { rows, found: expected.length - unmatched.length, faults };
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Says what is wrong with the runs in the end: one finished at its second attempt, and one failed. */
export function faultsOf(rows: readonly RunRow[], name: string): string[] {
  const faults = rows
    .filter(({ missing }) => missing > 0)
    .map(({ run_id }) => `events of ${run_id} are missing`);
  if (!rows.some(({ status, attempt }) => status === 'finished' && attempt === 2)) {
    faults.push(`no run of ${name} finished at its second attempt`);
  }
  if (!rows.some(({ status, end }) => status === 'failed' && /is gone/.test(end?.reason ?? ''))) {
    faults.push(`no run of ${name} failed with its reason`);
  }
  return faults;
}

async function unmatchedOf(
  gateway: string,
  rows: readonly RunRow[],
  expected: readonly ExpectedMetrics[],
): Promise<ExpectedMetrics[]> {
  const unmatched: ExpectedMetrics[] = [];
  for (const { run_id, group_id } of rows) {
    const events = await metricsOf(gateway, `local/${run_id}/${group_id}`);
    for (const call of expected.filter(({ run, group }) => run === run_id && group === group_id)) {
      const place = events.findIndex((data) => holds(data, call));
      if (place < 0) unmatched.push(call);
      else events.splice(place, 1);
    }
  }
  const known = new Set(rows.map(({ run_id, group_id }) => `${run_id}/${group_id}`));
  return [...unmatched, ...expected.filter(({ run, group }) => !known.has(`${run}/${group}`))];
}

function holds(data: Readonly<Record<string, unknown>>, { step, metrics }: ExpectedMetrics): boolean {
  if (step !== null && data.step !== step) return false;
  return Object.entries(metrics).every(([name, value]) => isDeepStrictEqual(data[name], value));
}

async function metricsOf(gateway: string, key: string): Promise<Readonly<Record<string, unknown>>[]> {
  const found: Readonly<Record<string, unknown>>[] = [];
  let after: number | null = -1;
  while (after !== null) {
    const page: { events: Item[]; next: number | null } = await json(
      `${gateway}/v1/runs/${key}/events?type=METRICS&limit=500&after=${after}`,
    );
    for (const { duplicate, event } of page.events) if (duplicate !== true) found.push(event.data ?? {});
    after = page.next;
  }
  return found;
}

async function json<T>(url: string): Promise<T> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}
