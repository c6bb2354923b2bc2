/**
 * Whether two JSON values are equal, whatever the order of the keys. Arrays are compared from their ends, because the lists
 * of a run grow there, so lists that differ are told apart at once.
 */
export function sameJson(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left)) return Array.isArray(right) && sameItems(left, right);
  return !Array.isArray(right) && sameMembers(left as Members, right as Members);
}

type Members = Readonly<Record<string, unknown>>;

function sameItems(left: readonly unknown[], right: readonly unknown[]): boolean {
  if (left.length !== right.length) return false;
  for (let at = left.length - 1; at >= 0; at -= 1) if (!sameJson(left[at], right[at])) return false;
  return true;
}

function sameMembers(left: Members, right: Members): boolean {
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  for (const name of names) {
    if (!Object.hasOwn(right, name) || !sameJson(left[name], right[name])) return false;
  }
  return true;
}
