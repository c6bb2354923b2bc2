import { printable } from '@runlog/service-kit/printable';

/** Whether the configuration lets pages of this origin read from the gateway. */
export function isListed(origin: string, allowed: readonly string[]): boolean {
  return allowed.includes('*') || allowed.includes(origin);
}

/**
 * Returns why a page of the request's origin may not open streams; null if it may. A request without Origin does not come
 * from a browser, so it cannot misuse a user's authority. Any other must have this server's own origin or an allowed one.
 */
export function originRefusal(
  headers: { origin?: string | undefined; host?: string | undefined },
  allowed: readonly string[],
): string | null {
  const { origin, host = '' } = headers;
  if (origin === undefined || isListed(origin, allowed)) return null;
  if (URL.canParse(origin) && new URL(origin).host === host) return null;
  const [from, to] = [origin, host].map((text) => printable(text).slice(0, 100));
  return (
    `pages of ${from} may not open streams of a gateway that is addressed as ${to}: name that origin in ` +
    'RUNLOG_ALLOWED_ORIGINS, or have the proxy between them pass Host on unchanged'
  );
}
