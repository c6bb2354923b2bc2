/**
 * Returns a predicate of the runs whose key `cluster/run/group`, or whose task, has this part, in upper or lower case.
 * Without a part, every run has it.
 */
export function runTextMatch(
  part: string | null | undefined,
): (key: string, taskName: string | null) => boolean {
  if (part == null || part === '') return () => true;
  const wanted = part.toLowerCase();
  return (key, taskName) =>
    key.toLowerCase().includes(wanted) || (taskName?.toLowerCase().includes(wanted) ?? false);
}
