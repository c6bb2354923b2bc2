/** The name of the item in the session storage, which belongs to this tab and ends with it. */
const ITEM = 'runlog-key';

/** Where the key is kept for this tab. */
export type KeyStore = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export function storedKey(store: KeyStore | null): string | undefined {
  return store?.getItem(ITEM) ?? undefined;
}

export function storeKey(store: KeyStore | null, key: string): void {
  store?.setItem(ITEM, key);
}

export function forgetKey(store: KeyStore | null): void {
  store?.removeItem(ITEM);
}

/** Returns null in a frame that may not store anything. */
export function tabStore(): KeyStore | null {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}
