import { useEffect, useState } from 'preact/hooks';
import { copyToClipboard } from '../shell/copy-text.ts';

const SAID_MS = 2_000;

/** Copies a text that is made when it is pressed, and says for two seconds whether it could. */
export function CopyButton({ what, text }: { what: string; text(): string }) {
  const [said, setSaid] = useState<'copied' | 'could not copy' | null>(null);
  useEffect(() => {
    if (said === null) return;
    const timer = setTimeout(() => setSaid(null), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);
  return (
    <button
      type="button"
      class="small-button"
      onClick={async () => setSaid((await copyToClipboard(text())) ? 'copied' : 'could not copy')}
    >
      <span aria-live="polite">{said ?? what}</span>
    </button>
  );
}
