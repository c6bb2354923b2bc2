import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';

/**
 * A part of the page that is loaded when it is first drawn. While it loads, its place is empty. It cannot be loaded any more if
 * the gateway was replaced by another build meanwhile.
 */
export function later<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let loaded: ComponentType<Props> | null = null;
  let loading: Promise<ComponentType<Props>> | null = null;
  return function Later(props: Props) {
    const [Part, setPart] = useState<{ readonly is: ComponentType<Props> } | null>(loaded && { is: loaded });
    const [isMissing, setIsMissing] = useState(false);
    // Loading need not wait until the rest is drawn.
    loading ??= load();
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
    return (
      <p class="hint">
        This part of the page could not be loaded; perhaps the gateway was updated.{' '}
        <button type="button" onClick={() => location.reload()}>
          Load the page again
        </button>
      </p>
    );
  };
}
