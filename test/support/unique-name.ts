import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';

/**
 * Makes a name for something that a test makes on the shared broker: a topic, a group, a writer id, or the prefix of
 * several. It begins with the run's own prefix, because anything else would remain on a lent broker (`broker-lent.ts`).
 */
export function uniqueName(what: string): string {
  return `${inject('runPrefix')}${what}-${randomUUID().slice(0, 8)}`;
}
