import type { ViewKey } from '@runlog/schema/keys';
import { compileGlob } from '@runlog/schema/run/run-glob';
import { HttpFault } from '@runlog/service-kit/http-server';
import { bearerOf, type KeyRing } from '@runlog/service-kit/keys';

/** The runs that one client may see. */
export interface Viewer {
  /** Viewers with the same scope see the same runs, and only they have that scope. */
  readonly scope: string;
  readonly maySee: (key: string) => boolean;
  /** `changed` means that the key shows other runs than it did. */
  readonly standing: () => 'current' | 'changed' | 'revoked';
}

/** The viewer if no keys are required. */
export const everyone: Viewer = { scope: '', maySee: () => true, standing: () => 'current' };

/** Decides by their keys what clients may see. */
export interface Access {
  /** Whether a client need not show a key. */
  readonly isOpen: boolean;
  /** Returns the viewer that a key stands for, or null if it is not a valid key or may not view. */
  viewerOf(secret: string): Viewer | null;
  /**
   * Returns the viewer that a request stands for, by its Authorization header. Throws the `HttpFault` to answer with:
   * 401, or 403 for a key that may not view.
   */
  viewerOfRequest(request: { headers: { authorization?: string | undefined } }): Viewer;
  /** Accepts any valid key, whatever its role. Throws 401 otherwise. */
  requireKey(request: { headers: { authorization?: string | undefined } }): void;
  /** Calls the listener after every change of the keys, until the returned function is called. */
  onChange(listener: () => void): () => void;
}

/** Makes the access rules. If `keys` is null, anyone who reaches the gateway may see every run. */
export function accessBy(keys: KeyRing | null): Access {
  if (keys === null) {
    return {
      isOpen: true,
      viewerOf: () => everyone,
      viewerOfRequest: () => everyone,
      requireKey: () => undefined,
      onChange: () => () => undefined,
    };
  }
  /** Globs are compiled once per key; a reload makes new keys. */
  const compiled = new WeakMap<ViewKey, Pick<Viewer, 'scope' | 'maySee'>>();
  const sightOf = (key: ViewKey) => {
    let sight = compiled.get(key);
    if (sight === undefined) {
      const globs = key.runs.map(compileGlob);
      sight = { scope: scopeOf(key), maySee: (run) => globs.some((matches) => matches(run)) };
      compiled.set(key, sight);
    }
    return sight;
  };
  const viewerOf = (secret: string): Viewer | null => {
    const key = keys.find(secret);
    if (key?.role !== 'view') return null;
    const standing = () => {
      const now = keys.find(secret);
      if (now?.role !== 'view') return 'revoked';
      return scopeOf(now) === scopeOf(key) ? 'current' : 'changed';
    };
    return { ...sightOf(key), standing };
  };
  const requireKey: Access['requireKey'] = ({ headers }) => {
    const secret = bearerOf(headers.authorization);
    if (secret === null)
      throw new HttpFault('unauthorized', 'this requires a key: Authorization: Bearer KEY');
    if (keys.find(secret) === null) throw new HttpFault('unauthorized', 'this key is not valid (any more)');
  };
  return {
    isOpen: false,
    viewerOf,
    requireKey,
    viewerOfRequest(request) {
      requireKey(request);
      const viewer = viewerOf(bearerOf(request.headers.authorization) ?? '');
      if (viewer === null) throw new HttpFault('forbidden', 'this key may publish, not view');
      return viewer;
    },
    onChange: (listener) => keys.onChange(listener),
  };
}

/** Throws 403 by looking only at the run's key, so that the answer does not reveal whether the run exists. */
export function mustSee(viewer: Viewer, key: string): void {
  if (!viewer.maySee(key)) throw new HttpFault('forbidden', `this key does not show ${key}`);
}

/** The separator is a space, which no glob contains. */
function scopeOf(key: ViewKey): string {
  return [...new Set(key.runs)].sort().join(' ');
}
