/** A route in Fastify's notation: `/v1/runs/:cluster`. */
export interface ServedRoute {
  readonly method: string;
  readonly url: string;
}

/** Returns the methods that some route accepts at this path, each once. The list is empty if there is no such path. */
export function methodsAt(routes: readonly ServedRoute[], path: string): string[] {
  const asked = segmentsOf(path);
  const methods = routes.filter(({ url }) => {
    const segments = segmentsOf(url);
    return (
      segments.length === asked.length &&
      segments.every((segment, at) => segment.startsWith(':') || segment === asked[at])
    );
  });
  return [...new Set(methods.map(({ method }) => method))];
}

/** A slash at the end makes no difference. */
function segmentsOf(path: string): string[] {
  return path.replace(/\/$/, '').split('/');
}
