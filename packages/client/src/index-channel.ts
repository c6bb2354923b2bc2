import type { RunGroup, RunRow } from '@runlog/schema/run/snapshot';
import type { ServerFrameFields, StateCounts } from '@runlog/schema/stream/server-frames';
import type { IndexSubscription } from '@runlog/schema/stream/subscriptions';
import { IndexWindow } from './index-window.ts';
import type { ChannelRefusal } from './run-update.ts';

/** Which runs of the glob are wanted, in which order, and which part of them. */
export type IndexView = Readonly<Omit<IndexSubscription, 'ch'>>;

/** The window of an index view after a change. */
export interface IndexUpdate {
  readonly kind: 'rows';
  /** The rows of the window, in the order of the view. */
  readonly rows: readonly RunRow[];
  /** The number of runs that match, inside the window and outside. */
  readonly total: number;
  /** The number of runs in each state that match, whatever `status` asks for. Empty from an older gateway. */
  readonly counts: Partial<StateCounts>;
  /** With `group_by`: the groups in order, 200 at most, each with the number of its runs that match. Else empty. */
  readonly groups: readonly RunGroup[];
}

export type IndexListener = (update: IndexUpdate | ChannelRefusal) => void;

/** One index view that is followed. */
export class IndexChannel {
  readonly kind = 'index';
  readonly ch: string;
  readonly view: IndexView;
  readonly listeners = new Set<IndexListener>();
  readonly #window: IndexWindow;
  #awaited: number | null = null;

  constructor(ch: string, view: IndexView) {
    this.ch = ch;
    this.view = view;
    this.#window = new IndexWindow(view);
  }

  /** Throws if the runs are followed by another view. */
  mustAgree(view: IndexView): void {
    if (JSON.stringify(view) === JSON.stringify(this.view)) return;
    throw new Error(`${this.ch} is followed with another view: end that one, or use a second client`);
  }

  get held(): IndexUpdate | null {
    const { rows, total, counts, groups } = this.#window;
    return total === null ? null : { kind: 'rows', rows, total, counts: counts ?? {}, groups };
  }

  ask(id: number): IndexSubscription {
    this.#awaited = id;
    return { ...this.view, ch: this.ch };
  }

  receive(frame: ServerFrameFields): IndexUpdate | null {
    const { id, rows, gone, total, counts, groups } = frame;
    if (rows === undefined || (this.#awaited !== null && id !== this.#awaited)) return null;
    this.#awaited = null;
    this.#window.receive({
      rows,
      ...(gone === undefined ? {} : { gone }),
      total: total ?? this.#window.total ?? rows.length,
      counts: counts ?? this.#window.counts ?? ({} as StateCounts),
      ...(groups === undefined ? {} : { groups }),
    });
    return this.held;
  }
}
