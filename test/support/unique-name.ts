import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';

/**
 * A name for what a test makes on the shared broker: a topic, a group, a writer id, or the prefix of several. It begins
 * with the run's own prefix: what does not would stay on a broker that somebody lent (`broker-lent.ts`).
 */
export function uniqueName(what: string): string {
  return `${inject('runPrefix')}${what}-${randomUUID().slice(0, 8)}`;
}
