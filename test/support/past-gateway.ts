import { type MadeUpGateway, startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import { type MadeUpEvent, MadeUpRuns } from '@runlog/gateway/made-up/made-up-runs';
import type { RunsAtHand } from '@runlog/gateway/read/runs-at-hand';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { EventLogEntry, RunSnapshot } from '@runlog/schema/run/snapshot';

type Past = Awaited<ReturnType<NonNullable<RunsAtHand['pastStates']>['at']>>;

interface Happened {
  readonly state: RunSnapshot;
  readonly entry: EventLogEntry | null;
}

/** A gateway that knows every state in which its runs were, and, unless it is given a history, every entry. */
export interface PastGateway extends MadeUpGateway {
  /** What was asked for the past states: seqs, in their order. */
  readonly askedStates: readonly number[];
  /** The answer to those that are asked for from now on; null: the state. */
  setPast(answer: Exclude<Past, { kind: 'reached' }> | null): void;
}

export async function startPastGateway(
  options: Parameters<typeof startMadeUpGateway>[0] = {},
): Promise<PastGateway> {
  const happened = new Map<string, Happened[]>();
  const askedStates: number[] = [];
  let instead: Exclude<Past, { kind: 'reached' }> | null = null;
  const of = (run: RunSnapshot) => happened.get(formatRunKey(run)) ?? [];
  const runs = options.runs ?? new MadeUpRuns();
  const gateway = await startMadeUpGateway({
    history: {
      page: async ({ state, before, after, limit, type }) => {
        const entries = of(state).flatMap(({ entry }) => {
          if (entry === null || (type !== undefined && !type.includes(entry.event_type))) return [];
          return entry.seq < (before ?? Number.POSITIVE_INFINITY) && entry.seq > (after ?? -1) ? [entry] : [];
        });
        const page = after === undefined ? entries.slice(-limit) : entries.slice(0, limit);
        const edge = after === undefined ? page[0] : page.at(-1);
        return {
          events: page.map(storedText),
          next: entries.length > page.length ? edge!.seq : null,
          oldest: state.first_seq,
        };
      },
    },
    ...options,
    runs,
    pastStates: {
      async at({ run, seq }) {
        askedStates.push(seq);
        if (instead !== null) return instead;
        const reached = of(run).findLast(({ state }) => state.position.seq <= seq);
        return reached === undefined ? { kind: 'gone' } : { kind: 'reached', state: reached.state };
      },
      whole: async ({ run }) => ({ kind: 'reached', state: run }),
    },
  });
  return Object.assign(gateway, {
    askedStates,
    setPast(answer: typeof instead) {
      instead = answer;
    },
    append(key: string, events: readonly MadeUpEvent[]) {
      const before = runs.states.get(key) ?? null;
      const changes = events.map((event) => runs.append(key, [event]));
      const all = happened.get(key) ?? [];
      for (const { after, entries } of changes) {
        if (after !== null) all.push({ state: after, entry: entries[0] ?? null });
      }
      happened.set(key, all);
      const entries = changes.flatMap((change) => change.entries);
      gateway.hub.apply([{ key, before, after: changes.at(-1)!.after, entries }]);
    },
    retire(key: string) {
      happened.delete(key);
      gateway.hub.apply([runs.retire(key)]);
    },
  });
}

function storedText(entry: EventLogEntry): string {
  const { seq, event_type, occurred_at: timestamp, metadata } = entry;
  const event = { event_id: metadata.event_id, event_type, timestamp };
  return JSON.stringify({ seq, received_at: timestamp, entry, event, duplicate: false });
}
