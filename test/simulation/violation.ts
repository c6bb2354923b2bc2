/** An invariant that a history broke. */
export class Violation extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Violation';
  }
}

export function holds(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new Violation(message());
}
