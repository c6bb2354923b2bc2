import type { Position } from './snapshot.ts';

/** `epoch.seq`: the ETag of a snapshot, and the id of a server-sent event. */
export function formatPosition({ epoch, seq }: Position): string {
  return `${epoch}.${seq}`;
}

/** Returns null if the text is not a position, such as an id that another server gave. */
export function parsePosition(text: string): Position | null {
  const match = /^([^.]{1,128})\.(\d{1,15})$/.exec(text);
  return match === null ? null : { epoch: match[1]!, seq: Number(match[2]) };
}
