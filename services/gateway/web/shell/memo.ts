import { Component, type ComponentType, h } from 'preact';

/** Stands for `memo` of `preact/compat` in the bundle, whose other parts the page does not need. */
export function memo<Props extends object>(
  Drawn: ComponentType<Props>,
  isSame: (before: Props, after: Props) => boolean = hasSameMembers,
): ComponentType<Props> {
  // A node that is kept, to be returned again, would hold the tree in which it stood first, and all that is held there.
  return class Memo extends Component<Props> {
    override shouldComponentUpdate(props: Props) {
      return !isSame(this.props, props);
    }
    override render(props: Props) {
      return h(Drawn as ComponentType<object>, props);
    }
  };
}

function hasSameMembers(before: object, after: object): boolean {
  const [left, right] = [before as Record<string, unknown>, after as Record<string, unknown>];
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length && names.every((name) => Object.is(left[name], right[name]))
  );
}
