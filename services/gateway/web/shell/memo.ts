import { type ComponentType, h } from 'preact';
import { useRef } from 'preact/hooks';

/** Stands for `memo` of `preact/compat` in the bundle, whose other parts the page does not need. */
export function memo<Props extends object>(
  Drawn: ComponentType<Props>,
  isSame: (before: Props, after: Props) => boolean = hasSameMembers,
): ComponentType<Props> {
  return function Memo(props: Props) {
    const last = useRef<{ props: Props; drawn: ReturnType<typeof h> } | null>(null);
    // The same node again means the same drawing: it is not looked into.
    if (last.current === null || !isSame(last.current.props, props)) {
      last.current = { props, drawn: h(Drawn as ComponentType<object>, props) };
    }
    return last.current.drawn;
  };
}

function hasSameMembers(before: object, after: object): boolean {
  const [left, right] = [before as Record<string, unknown>, after as Record<string, unknown>];
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length && names.every((name) => Object.is(left[name], right[name]))
  );
}
