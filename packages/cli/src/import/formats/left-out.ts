import type { SourceItem } from './source.ts';

const KINDS_MAX = 64;

/** Counts what a source holds that runlog keeps no events of. */
export class LeftOut {
  readonly #counts = new Map<string, number>();

  /** Above the bound of kinds all further ones are counted together. */
  add(what: string, count = 1): void {
    const known = this.#counts.has(what) || this.#counts.size < KINDS_MAX;
    const kind = known ? what : 'of other kinds';
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + count);
  }

  /** Returns what was counted since the last call. */
  *take(): Generator<SourceItem> {
    for (const [what, count] of this.#counts) yield { place: 'end', leftOut: { what, count } };
    this.#counts.clear();
  }

  /** What was counted, in a sentence; empty if nothing was. */
  get text(): string {
    const parts = [...this.#counts].map(([what, count]) => `${count} ${what}`);
    return parts.length === 0 ? '' : `left out, since runlog keeps no events of them: ${parts.join(', ')}`;
  }
}
