import { type Signal, useComputed } from '@preact/signals';
import { visibleText } from '../text/visible-text.ts';

/** Members of one object that are shown. The text has all. */
const MEMBERS_MAX = 500;

/** A value as a tree whose branches open. `open` holds the paths that are, so that they stay open when the value changes. */
export function JsonTree(props: {
  name: string;
  value: unknown;
  path: string;
  open: Signal<ReadonlySet<string>>;
}) {
  const { name, value, path, open } = props;
  const isOpen = useComputed(() => open.value.has(path));
  if (typeof value !== 'object' || value === null) {
    return (
      <p class="json-leaf">
        <bdi class="json-name">{visibleText(name)}</bdi>{' '}
        <bdi class={`json-${value === null ? 'null' : typeof value}`}>
          {visibleText(JSON.stringify(value) ?? 'undefined')}
        </bdi>
      </p>
    );
  }
  const members = Object.entries(value);
  return (
    <details
      class="json-branch"
      open={isOpen.value}
      onToggle={({ currentTarget }) => {
        if (currentTarget.open === open.peek().has(path)) return;
        const next = new Set(open.peek());
        if (currentTarget.open) next.add(path);
        else next.delete(path);
        open.value = next;
      }}
    >
      <summary>
        <bdi class="json-name">{visibleText(name)}</bdi>{' '}
        <span class="dim">{Array.isArray(value) ? `[${members.length}]` : `{${members.length}}`}</span>
      </summary>
      {isOpen.value &&
        members
          .slice(0, MEMBERS_MAX)
          .map(([member, inner]) => (
            <JsonTree key={member} name={member} value={inner} path={`${path}/${member}`} open={open} />
          ))}
      {isOpen.value && members.length > MEMBERS_MAX && (
        <p class="dim">{members.length - MEMBERS_MAX} more stand in the text.</p>
      )}
    </details>
  );
}
