/** What the names of runs are searched for. An absent or empty part is in all of them. */
export interface RunNames {
  /** Words, each of which is a part of the key `cluster/run/group` or of the task. */
  readonly q?: string | null | undefined;
  /** A part of the task. */
  readonly task?: string | null | undefined;
}

/** Returns a predicate of the runs whose names have these parts, in upper or lower case. */
export function runNameMatch({ q, task }: RunNames): (key: string, taskName: string | null) => boolean {
  const words = (q?.toLowerCase() ?? '').split(/\s+/).filter((word) => word !== '');
  const ofTask = task?.toLowerCase() ?? '';
  if (words.length === 0 && ofTask === '') return () => true;
  return (key, taskName) => {
    const name = taskName?.toLowerCase() ?? '';
    if (!name.includes(ofTask)) return false;
    const lowerKey = key.toLowerCase();
    return words.every((word) => name.includes(word) || lowerKey.includes(word));
  };
}
