/** What the names of runs are searched for. An absent or empty part is in all of them. */
export interface RunNames {
  /** A part of the key `cluster/run/group`, or of the task. */
  readonly q?: string | null | undefined;
  /** A part of the task. */
  readonly task?: string | null | undefined;
}

/** Returns a predicate of the runs whose names have these parts, in upper or lower case. */
export function runNameMatch({ q, task }: RunNames): (key: string, taskName: string | null) => boolean {
  const ofAll = q?.toLowerCase() ?? '';
  const ofTask = task?.toLowerCase() ?? '';
  if (ofAll === '' && ofTask === '') return () => true;
  return (key, taskName) => {
    const name = taskName?.toLowerCase() ?? '';
    return name.includes(ofTask) && (name.includes(ofAll) || key.toLowerCase().includes(ofAll));
  };
}
