import { signal } from '@preact/signals';
import type { StreamStatus } from '@runlog/client/stream-client';
import { closeCodes } from '@runlog/schema/stream/close-codes';

/** The name of the item in the session storage, which belongs to this tab and ends with it. */
const ITEM = 'runlog-key';

/** Why the page asks for a key; null if it does not. */
export const keyWanted = signal<'missing' | 'refused' | null>(null);

export function storedKey(): string | undefined {
  return sessionStorage.getItem(ITEM) ?? undefined;
}

/** Starts over with the key. Nothing that another key showed stays in the page. */
export function useKey(key: string): void {
  sessionStorage.setItem(ITEM, key);
  location.reload();
}

/**
 * Is told of the stream's status. If the server closed the stream because the key is not, or no longer, valid, the page
 * asks for another.
 */
export function noteStatus(status: StreamStatus): void {
  if (status.state !== 'stopped') return;
  if (status.code === closeCodes.bad_key.close) {
    sessionStorage.removeItem(ITEM);
    keyWanted.value = 'refused';
  } else if (status.code === closeCodes.no_auth.close) {
    keyWanted.value = 'missing';
  }
}

/** Is called when the server refused to answer without a key. */
export function noteRefusal(code: string): void {
  if (code === 'unauthorized') keyWanted.value = 'missing';
}
