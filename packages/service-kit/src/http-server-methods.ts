/** A route as Fastify knows it: `/v1/runs/:cluster`. */
export interface ServedRoute {
  readonly method: string;
  readonly url: string;
}

/** The methods that some route takes at this path, each once; none where there is no such path. */
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
