import { createHash } from 'node:crypto';

/**
 * Returns an ETag of text that is opaque to clients. It is weak, because one tag stands for the same content in every
 * content coding.
 */
export function entityTag(text: string): string {
  return `W/"${text}"`;
}

/** Returns a short name for content: other content has another one. */
export function contentHash(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}

/** Whether If-None-Match says that the client holds what this tag stands for. */
export function isHeldBy(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const opaque = (each: string) => each.trim().replace(/^W\//, '');
  return ifNoneMatch.split(',').some((each) => opaque(each) === '*' || opaque(each) === opaque(tag));
}
