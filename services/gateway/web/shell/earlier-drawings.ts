import { options, type VNode } from 'preact';

/** A node with what Preact keeps in it, by the names that its add-ons use as well. */
interface InnerNode extends VNode {
  /** The nodes that it drew. */
  __k?: unknown;
  /** The component, and in it the node that it drew last. */
  readonly __c?: { readonly __v?: InnerNode } | null;
}

/**
 * Has Preact let go of what a component drew before it drew itself again. Whatever holds a component in its own children goes
 * on holding the node of the first drawing, and Preact leaves in it what was drawn then. Through children that did not change
 * each drawing leads to the next one, so a log that follows a run would keep all of them.
 */
export function forgetEarlierDrawings(): void {
  const earlier = new WeakMap<VNode, InnerNode>();
  const { vnode: onNode, diffed: onDrawn } = options;
  options.vnode = (node) => {
    // A new node has a component already only where the component draws itself.
    const before = (node as InnerNode).__c?.__v;
    if (before !== undefined) earlier.set(node, before);
    onNode?.(node);
  };
  options.diffed = (node) => {
    onDrawn?.(node);
    const before = earlier.get(node);
    if (before === undefined) return;
    earlier.delete(node);
    before.__k = null;
  };
}
