import type { RunFigures } from '@runlog/schema/run/figures';
import type { ServerFrameFields } from '@runlog/schema/stream/server-frames';
import { applyFiguresStep } from './apply-figures-step.ts';
import type { ChannelRefusal } from './run-update.ts';

/** The figures of a run after a change. `reason` says why they are others, if the server started over. */
export interface FiguresUpdate {
  readonly kind: 'figures';
  readonly figures: RunFigures;
  readonly reason: string | null;
}

export type FiguresListener = (update: FiguresUpdate | ChannelRefusal) => void;

/** The figures of one run that is followed. */
export class FiguresChannel {
  readonly kind = 'figures';
  readonly ch: string;
  readonly listeners = new Set<FiguresListener>();
  #figures: RunFigures | null = null;
  #awaited: number | null = null;

  constructor(ch: string) {
    this.ch = ch;
  }

  get held(): FiguresUpdate | null {
    return this.#figures === null ? null : { kind: 'figures', figures: this.#figures, reason: null };
  }

  ask(id: number): { ch: string } {
    this.#awaited = id;
    return { ch: this.ch };
  }

  /** Returns what the listeners are told, and whether the channel must be subscribed to again. */
  receive(frame: ServerFrameFields): { update: FiguresUpdate | null; ask: boolean } {
    const { reset, figures, prev, seq } = frame;
    if (reset !== undefined && 'figures' in reset) return this.#replace(reset.figures, reset.reason);
    if (this.#awaited !== null && frame.id !== this.#awaited) return { update: null, ask: false };
    if (figures === undefined) return { update: null, ask: false };
    if (!Array.isArray(figures)) return this.#replace(figures as RunFigures, null);
    const { figures_refused = 0, refused = [], epoch } = frame;
    if (this.#figures === null || prev === undefined || seq === undefined) return { update: null, ask: true };
    const next = applyFiguresStep(this.#figures, {
      ...{ prev, seq, figures, figures_refused, refused },
      ...(epoch === undefined ? {} : { epoch }),
    });
    return next === null ? { update: null, ask: true } : this.#replace(next, null);
  }

  #replace(figures: RunFigures, reason: string | null): { update: FiguresUpdate; ask: boolean } {
    this.#awaited = null;
    this.#figures = figures;
    return { update: { kind: 'figures', figures, reason }, ask: false };
  }
}
