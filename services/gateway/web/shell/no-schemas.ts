/**
 * Stands for `zod/mini` in the bundle: the page judges no event, and has no room for what does. The table of event types needs
 * these names while it is made. Another schema in the page's bundle ends its build.
 */
const none: { check(): unknown } = { check: () => none };
const made = () => none;

export {
  made as array,
  made as boolean,
  made as enum,
  made as gte,
  made as int,
  made as nullable,
  made as nullish,
  made as number,
  made as object,
  made as string,
  made as union,
};
