import type { RunSnapshot } from '@runlog/schema/run/snapshot';

/** What became of the events that a sender was asked to send. */
export interface Verdict {
  /** Different events that count in the run. */
  readonly accepted: number;
  /** Events that count more than once. */
  readonly doubled: number;
  /** Events that are not in the run. */
  readonly lost: number;
  /** Records of the topic that the fold has recognised as repeats. */
  readonly repeats: number;
  readonly missing: number;
}

interface HeldEvent {
  readonly seq: number;
  readonly duplicate: boolean | null;
  readonly event: { readonly event_id: string; readonly data?: Readonly<Record<string, unknown>> };
}

export async function runAt(gateway: string, run: string): Promise<RunSnapshot | null> {
  const response = await fetch(`${gateway}/v1/runs/local/${run}/default`);
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`the gateway answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as RunSnapshot;
}

/** The events of a run that are no repeats, as far as it is known. */
export function countedOf(run: RunSnapshot | null): number {
  return run === null ? 0 : run.total_events_received - run.duplicates;
}

/** Reads the whole history of a run and counts its events by what they say: `data.n` from 0 on. */
export async function judge(gateway: string, of: { run: string; events: number }): Promise<Verdict> {
  const times = new Array<number>(of.events).fill(0);
  const idsSeen = new Set<string>();
  let repeats = 0;
  for await (const { duplicate, event } of historyOf(gateway, of.run)) {
    // Where the run no longer says, the id decides: that is what a client does (docs/protocol.md).
    if (duplicate ?? idsSeen.has(event.event_id)) {
      repeats += 1;
      continue;
    }
    idsSeen.add(event.event_id);
    const n = Number(event.data?.n);
    if (!(n >= 0 && n < of.events)) throw new Error(`a foreign event: ${JSON.stringify(event)}`);
    times[n]! += 1;
  }
  const run = await runAt(gateway, of.run);
  return {
    accepted: times.filter((count) => count > 0).length,
    doubled: times.filter((count) => count > 1).length,
    lost: times.filter((count) => count === 0).length,
    ...{ repeats, missing: run?.missing ?? -1 },
  };
}

async function* historyOf(gateway: string, run: string): AsyncGenerator<HeldEvent> {
  for (let after: number | null = -1; after !== null; ) {
    const response = await fetch(`${gateway}/v1/runs/local/${run}/default/events?after=${after}&limit=500`);
    if (!response.ok) throw new Error(`the gateway answered ${response.status}: ${await response.text()}`);
    const page = (await response.json()) as { events: HeldEvent[]; next: number | null };
    yield* page.events;
    after = page.next;
  }
}
