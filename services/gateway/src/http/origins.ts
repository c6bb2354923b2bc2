import { printable } from '@runlog/service-kit/printable';

/** Whether the configuration lets pages of this origin read from the gateway. */
export function isListed(origin: string, allowed: readonly string[]): boolean {
  return allowed.includes('*') || allowed.includes(origin);
}

/** Says what to do for pages of an origin that is not listed. */
export function unlistedOrigin(origin: string): string {
  return `pages of ${shown(origin)} may not read from this gateway: name that origin in RUNLOG_ALLOWED_ORIGINS`;
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
  return `${unlistedOrigin(origin)}, or have the proxy pass Host on unchanged, which is ${shown(host)} here`;
}

function shown(text: string): string {
  return printable(text).slice(0, 100);
}
