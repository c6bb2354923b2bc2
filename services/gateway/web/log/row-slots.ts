import type { LogRow } from './log-row.ts';

/**
 * Hands the elements of rows that leave the view to those that come into it, because to fill an element anew costs less than
 * to make one. A row keeps its element for as long as it is drawn.
 */
export class RowSlots {
  #slots: ReadonlyMap<string, number> = new Map();
  #made = 0;

  /** The slots of rows that are drawn together, in their order. No two have the same. */
  of(rows: readonly LogRow[]): readonly number[] {
    const before = this.#slots;
    const slots = new Map<string, number>();
    for (const { id } of rows) {
      const slot = before.get(id);
      if (slot !== undefined) slots.set(id, slot);
    }
    const free: number[] = [];
    const taken = new Set(slots.values());
    for (let slot = this.#made - 1; slot >= 0; slot -= 1) if (!taken.has(slot)) free.push(slot);
    for (const { id } of rows) {
      if (slots.has(id)) continue;
      const slot = free.pop() ?? this.#made++;
      slots.set(id, slot);
    }
    this.#slots = slots;
    return rows.map(({ id }) => slots.get(id)!);
  }
}
