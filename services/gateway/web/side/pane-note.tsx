import { visibleText } from '../text/visible-text.ts';

/** What a pane says instead of what it would show: one sentence, and one thing to do. */
export function PaneNote({
  sentence,
  action,
  onAction,
}: {
  sentence: string;
  action?: string;
  onAction?(): void;
}) {
  return (
    <div class="pane-note">
      <p>
        <bdi>{visibleText(sentence)}</bdi>
      </p>
      {action !== undefined && (
        <button type="button" onClick={onAction}>
          {action}
        </button>
      )}
    </div>
  );
}
