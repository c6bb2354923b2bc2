/** The first field, depth first, in which two JSON values differ, and its value on either side. */
export interface FieldDifference {
  /** The dotted path of the field; empty if the values are equal. */
  readonly field: string;
  readonly left: unknown;
  readonly right: unknown;
}

export function firstDifference(left: unknown, right: unknown): FieldDifference {
  return differenceAt('', { left, right }) ?? { field: '', left: null, right: null };
}

function differenceAt(field: string, sides: { left: unknown; right: unknown }): FieldDifference | null {
  const { left, right } = sides;
  if (Object.is(left, right)) return null;
  if (!isContainer(left) || !isContainer(right)) return { field, left: left ?? null, right: right ?? null };
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const below = field === '' ? key : `${field}.${key}`;
    const found = differenceAt(below, { left: left[key], right: right[key] });
    if (found !== null) return found;
  }
  return null;
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
