/**
 * One part of a run key, as a regular expression and for JSON Schema. It is case-sensitive and has no slash and no leading dot
 * or dash, so a key is also a safe path and channel name.
 */
export const RUN_KEY_PART_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$';

export interface RunKey {
  readonly cluster_id: string;
  readonly run_id: string;
  readonly group_id: string;
}

export const DEFAULT_GROUP = 'default';

/** Formats `cluster/run/group`, which is the key of a run's records, its path in REST and the name of its channel. */
export function formatRunKey(key: RunKey): string {
  return `${key.cluster_id}/${key.run_id}/${key.group_id}`;
}

const part = `(${RUN_KEY_PART_PATTERN.slice(1, -1)})`;
const runKeyPattern = new RegExp(`^${part}/${part}/${part}$`);

/** Returns null if the text is not a run key. */
export function parseRunKey(text: string): RunKey | null {
  const match = runKeyPattern.exec(text);
  if (match === null) return null;
  return { cluster_id: match[1]!, run_id: match[2]!, group_id: match[3]! };
}
