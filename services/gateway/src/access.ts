import type { Key, ViewKey } from '@runlog/schema/keys';
import { compileGlob } from '@runlog/schema/run/run-glob';
import { HttpFault } from '@runlog/service-kit/http-server';
import { bearerOf, type NamedKeyRing } from '@runlog/service-kit/keys';
import { coversGlob, isToken, makeToken, readToken, type ViewToken } from './view-token.ts';

/** The runs that one client may see. */
export interface Viewer {
  /** Viewers with the same scope see the same runs, and only they have that scope. */
  readonly scope: string;
  readonly maySee: (key: string) => boolean;
  /** `changed` means that the key shows other runs than it did. */
  readonly standing: () => 'current' | 'changed' | 'revoked';
  /** When it ends, if it does so by itself. */
  readonly expiresAtMs?: number;
  /** The id of its key, or of the key in whose name its token was made. */
  readonly keyId?: string;
}

/** The viewer if no keys are required. */
export const everyone: Viewer = { scope: '', maySee: () => true, standing: () => 'current' };

/** A request, as far as it shows who sends it. */
interface ShowsKey {
  readonly headers: { readonly authorization?: string | undefined };
}

/** Decides by their keys what clients may see. Wherever a view key is shown, a token made with one will do. */
export interface Access {
  /** Whether a client need not show a key. */
  readonly isOpen: boolean;
  /** Returns the viewer that a key stands for, or null if it is not a valid key or may not view. */
  viewerOf(secret: string): Viewer | null;
  /**
   * Returns the viewer that a request stands for, by its Authorization header or else by the token in its address. Throws
   * the `HttpFault` to answer with: 401, or 403 for a key that may not view.
   */
  viewerOfRequest(request: ShowsKey, token?: string): Viewer;
  /** Accepts any valid key, whatever its role, but no token. Throws 401 otherwise. */
  requireKey(request: ShowsKey): void;
  /**
   * Makes a token in the name of the request's key, for the runs of one glob. Throws the `HttpFault` to answer with: 401,
   * or 403 if the key does not show all of them.
   */
  tokenFor(request: ShowsKey, of: ViewToken): string;
  /** Calls the listener after every change of the keys, until the returned function is called. */
  onChange(listener: () => void): () => void;
}

/** Makes the access rules. If `keys` is null, anyone who reaches the gateway may see every run. */
export function accessBy(keys: NamedKeyRing | null, now: () => number): Access {
  if (keys === null) {
    return {
      isOpen: true,
      viewerOf: () => everyone,
      viewerOfRequest: () => everyone,
      requireKey: () => undefined,
      // Any will do here, as any key does.
      tokenFor: () => 'open',
      onChange: () => () => undefined,
    };
  }
  /** Globs are compiled once per key; a reload makes new keys. */
  const compiled = new WeakMap<ViewKey, Pick<Viewer, 'scope' | 'maySee'>>();
  const sightOf = (key: ViewKey) => {
    let sight = compiled.get(key);
    if (sight === undefined) {
      sight = sightOfGlobs(key.runs);
      compiled.set(key, sight);
    }
    return sight;
  };
  const viewerOfKey = (secret: string): Viewer | null => {
    const key = keys.find(secret);
    if (key?.role !== 'view') return null;
    const standing = () => {
      const now = keys.find(secret);
      if (now?.role !== 'view') return 'revoked';
      return scopeOf(now.runs) === scopeOf(key.runs) ? 'current' : 'changed';
    };
    return { ...sightOf(key), standing, keyId: key.id };
  };
  const viewerOfToken = (token: string): Viewer | null => {
    const read = () => readToken(token, { keyOf: (id) => keys.withId(id), nowMs: now() });
    const allowed = read();
    if (allowed === null) return null;
    const { runs, expiresAtMs, keyId } = allowed;
    return {
      ...sightOfGlobs([runs]),
      ...{ expiresAtMs, keyId },
      standing: () => (read() === null ? 'revoked' : 'current'),
    };
  };
  const viewerOf = (secret: string) => (isToken(secret) ? viewerOfToken(secret) : viewerOfKey(secret));
  const keyOf = ({ headers }: ShowsKey): { key: Key; secret: string } => {
    const secret = bearerOf(headers.authorization);
    if (secret === null) throw noKey();
    const key = keys.find(secret);
    if (key === null) throw new HttpFault('unauthorized', 'this key is not valid (any more)');
    return { key, secret };
  };
  return {
    isOpen: false,
    viewerOf,
    requireKey: (request) => void keyOf(request),
    viewerOfRequest(request, token) {
      const shown = bearerOf(request.headers.authorization) ?? token ?? null;
      if (shown === null) throw noKey();
      if (isToken(shown) || shown === token) {
        const viewer = viewerOfToken(shown);
        if (viewer === null) throw new HttpFault('unauthorized', 'this token is not valid (any more)');
        return viewer;
      }
      const viewer = viewerOfKey(keyOf(request).secret);
      if (viewer === null) throw mayNotView();
      return viewer;
    },
    tokenFor(request, of) {
      const { key } = keyOf(request);
      if (key.role !== 'view') throw mayNotView();
      if (!coversGlob(key, of.runs)) {
        throw new HttpFault('forbidden', `none of the globs of this key covers ${of.runs}`);
      }
      return makeToken(key, of);
    },
    onChange: (listener) => keys.onChange(listener),
  };
}

function noKey(): HttpFault {
  return new HttpFault('unauthorized', 'this requires a key: Authorization: Bearer KEY');
}

function mayNotView(): HttpFault {
  return new HttpFault('forbidden', 'this key may publish, not view');
}

/** Throws 403 by looking only at the run's key, so that the answer does not reveal whether the run exists. */
export function mustSee(viewer: Viewer, key: string): void {
  if (!viewer.maySee(key)) throw new HttpFault('forbidden', `this key does not show ${key}`);
}

function sightOfGlobs(runs: readonly string[]): Pick<Viewer, 'scope' | 'maySee'> {
  const globs = runs.map(compileGlob);
  return { scope: scopeOf(runs), maySee: (run) => globs.some((matches) => matches(run)) };
}

/** The separator is a space, which no glob contains. */
function scopeOf(runs: readonly string[]): string {
  return [...new Set(runs)].sort().join(' ');
}
