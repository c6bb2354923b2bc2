import { bytesOf, type DormantFigures, decodeFigures, sparkOfFigures } from '@runlog/records/figures-record';
import type { RunFiguresState } from '@runlog/run-state/figures/run-figures';
import { sparkOf } from '@runlog/run-state/figures/spark';
import { type KeptBytes, unpacked } from './packed-bytes.ts';
import { PackingQueue } from './packing-queue.ts';

/** The figures of runs by `cluster/run/group`. */
export interface ReadonlyFigureStates {
  /** Wakes the run's figures. The result changes in place as events are folded. */
  get(key: string): RunFiguresState | undefined;
  /** Returns the newest points of the run's accuracy. Wakes nothing. */
  spark(key: string): readonly number[];
}

interface Awake {
  readonly state: RunFiguresState;
  /** The period in which they were used last. */
  period: number;
}

/**
 * The figures of runs. Those that were restored, and those that nobody used for a while, sleep as bytes, which take less
 * memory than the columns.
 */
export class FigureStates implements ReadonlyFigureStates {
  readonly #runs = new Map<string, Awake | Sleeper>();
  readonly #packing = new PackingQueue((key, bytes) => {
    (this.#runs.get(key) as Sleeper).bytes = bytes;
  });
  #period = 0;

  keys(): MapIterator<string> {
    return this.#runs.keys();
  }

  /** Returns the position of the last record folded into the run's figures, or null if there are none. Wakes nothing. */
  seqOf(key: string): number | null {
    const figures = this.#runs.get(key);
    if (figures === undefined) return null;
    return figures instanceof Sleeper ? figures.head.position.seq : figures.state.position.seq;
  }

  get(key: string): RunFiguresState | undefined {
    const figures = this.#runs.get(key);
    if (figures === undefined) return undefined;
    if (!(figures instanceof Sleeper)) {
      figures.period = this.#period;
      return figures.state;
    }
    const state = decodeFigures(unpacked(figures.bytes));
    this.delete(key);
    if (state === null) return undefined;
    this.set(key, state);
    return state;
  }

  spark(key: string): readonly number[] {
    const figures = this.#runs.get(key);
    if (figures === undefined) return [];
    return figures instanceof Sleeper ? figures.spark() : sparkOf(figures.state);
  }

  set(key: string, state: RunFiguresState): void {
    this.#packing.take(key);
    this.#runs.set(key, { state, period: this.#period });
  }

  setDormant(key: string, { head, bytes }: DormantFigures): void {
    this.#packing.take(key);
    this.#runs.set(key, new Sleeper(head, bytes));
    this.#packing.put(key, bytes);
  }

  delete(key: string): void {
    this.#packing.take(key);
    this.#runs.delete(key);
  }

  /** Call this after the last dormant figures: those that wait are packed then. */
  settle(): void {
    this.#packing.settle();
  }

  /** Puts figures to sleep that nobody used since the call before this one. */
  putIdleToSleep(): void {
    for (const [key, figures] of this.#runs) {
      if (figures instanceof Sleeper || figures.period === this.#period) continue;
      const { position } = figures.state;
      this.#runs.set(key, new Sleeper({ position }, bytesOf(figures.state)));
    }
    this.#period += 1;
  }
}

/** This is a class so that `instanceof` tells it from figures that are awake. */
class Sleeper {
  readonly head: Pick<DormantFigures['head'], 'position'>;
  bytes: KeptBytes;
  #spark: readonly number[] | null = null;

  constructor({ position }: Pick<DormantFigures['head'], 'position'>, bytes: Buffer) {
    this.head = { position: { ...position } };
    this.bytes = bytes;
  }

  /** Reading it costs some 50 us, so that it is read once. */
  spark(): readonly number[] {
    this.#spark ??= sparkOfFigures(unpacked(this.bytes));
    return this.#spark;
  }
}
