import type { HttpFaultBody } from '@runlog/schema/faults';

/** What a gateway answered to a request of the page. */
export type Answer<Body> =
  | { readonly kind: 'ok'; readonly body: Body }
  /** It answered with a fault, of which `code` and `message` are the protocol's; `http` if it was not its own answer. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly code: string;
      readonly message: string;
    }
  /** Nobody answered in time, or the answer could not be read. */
  | { readonly kind: 'away' };

export interface AskOptions {
  readonly query?: Readonly<Record<string, string | number | readonly (string | number)[] | undefined>>;
  readonly method?: 'GET' | 'POST';
  readonly signal?: AbortSignal;
}

const ANSWER_MS_MAX = 20_000;

/**
 * Asks the gateway for `path`, such as `v1/runs`, relative to the page, which a proxy may serve below a path. It never
 * rejects, also when the signal aborts: that is `away`.
 */
export async function ask<Body>(
  path: string,
  options: AskOptions & {
    readonly url: string;
    readonly key: string | undefined;
    readonly fetch: typeof fetch;
  },
): Promise<Answer<Body>> {
  const { fetch, key, method = 'GET', signal } = options;
  const headers: Record<string, string> = { accept: 'application/json' };
  if (key !== undefined) headers.authorization = `Bearer ${key}`;
  const timeout = AbortSignal.timeout(ANSWER_MS_MAX);
  try {
    const response = await fetch(`${options.url}${path}${queryOf(options.query ?? {})}`, {
      ...{ method, headers },
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    const body: unknown = await response.json().catch(() => null);
    if (response.ok) return body === null ? { kind: 'away' } : { kind: 'ok', body: body as Body };
    const { error } = (body ?? {}) as Partial<HttpFaultBody>;
    const { code = 'http', message = `${response.status} ${response.statusText}` } = error ?? {};
    return { kind: 'refused', status: response.status, code, message };
  } catch {
    return { kind: 'away' };
  }
}

function queryOf(query: NonNullable<AskOptions['query']>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value]) parameters.append(name, String(each));
  }
  return parameters.size === 0 ? '' : `?${parameters}`;
}
