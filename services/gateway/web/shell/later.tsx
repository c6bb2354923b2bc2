import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { connection } from './connection.ts';

/**
 * A part of the page that is loaded when it is first drawn. While it loads, its place is empty. It cannot be loaded if the
 * gateway was away, or was replaced by another build meanwhile: browsers never ask again for a module that they could not load.
 */
export function later<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let loaded: ComponentType<Props> | null = null;
  let loading: Promise<ComponentType<Props>> | null = null;
  return function Later(props: Props) {
    const [Part, setPart] = useState<{ readonly is: ComponentType<Props> } | null>(loaded && { is: loaded });
    const [isMissing, setIsMissing] = useState(false);
    if (loading === null) {
      // Loading need not wait until the rest is drawn, and may have failed by then.
      loading = load();
      loading.catch(() => undefined);
    }
    useEffect(() => {
      if (Part !== null) return;
      loading?.then(
        (part) => {
          loaded = part;
          setPart({ is: part });
        },
        () => setIsMissing(true),
      );
    }, [Part]);
    if (Part !== null) return <Part.is {...props} />;
    if (!isMissing) return null;
    const isAway = connection().link.value.state !== 'open';
    return (
      <p class="hint">
        This part of the page could not be loaded:{' '}
        {isAway ? 'the gateway is away.' : 'the gateway was away, or was updated. '}
        {!isAway && (
          <button type="button" onClick={() => location.reload()}>
            Load the page again
          </button>
        )}
      </p>
    );
  };
}
