/**
 * Compiles a glob over run keys. `*` matches any sequence of characters, slashes included; every other character
 * matches itself.
 */
export function compileGlob(glob: string): (text: string) => boolean {
  if (!glob.includes('*')) return (text) => text === glob;
  const [head, ...rest] = glob.split('*') as [string, ...string[]];
  const tail = rest.pop() as string;
  const middle = rest.filter((part) => part !== '');
  return (text) => {
    if (text.length < head.length + tail.length || !text.startsWith(head) || !text.endsWith(tail))
      return false;
    // The leftmost match suffices for every part between the first and the last star, so this is linear.
    let from = head.length;
    const end = text.length - tail.length;
    for (const part of middle) {
      const found = text.indexOf(part, from);
      if (found === -1 || found + part.length > end) return false;
      from = found + part.length;
    }
    return true;
  };
}

const globPattern = /^[A-Za-z0-9._*/-]{1,200}$/;

/** Whether the text can match any run key at all by its characters. */
export function isGlob(text: string): boolean {
  return globPattern.test(text);
}
