/** The target of a subscription: one run, its figures, or the index of the runs whose keys a glob matches. */
export type Channel =
  | { readonly kind: 'run'; readonly key: string }
  | { readonly kind: 'figures'; readonly key: string }
  | { readonly kind: 'runs'; readonly glob: string };

/** Returns the channel of one run, by its key `cluster/run/group`. */
export function runChannel(key: string): string {
  return `run:${key}`;
}

/** Returns the channel of the figures of one run, by its key `cluster/run/group`. */
export function figuresChannel(key: string): string {
  return `figures:${key}`;
}

/** Returns the channel of the index. `*` in the glob matches any sequence of characters of a run key. */
export function indexChannel(glob: string): string {
  return `runs:${glob}`;
}

/**
 * Parses a channel's name. Returns null if it is of no known kind. The caller checks whether the key or the glob is
 * valid.
 */
export function parseChannel(ch: string): Channel | null {
  const separator = ch.indexOf(':');
  const name = ch.slice(separator + 1);
  switch (ch.slice(0, Math.max(0, separator))) {
    case 'run':
      return { kind: 'run', key: name };
    case 'figures':
      return { kind: 'figures', key: name };
    case 'runs':
      return { kind: 'runs', glob: name };
    default:
      return null;
  }
}
