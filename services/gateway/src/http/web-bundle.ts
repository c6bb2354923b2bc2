import { existsSync } from 'node:fs';
import { type FastifyInstance, HttpFault } from '@runlog/service-kit/http-server';
import { staticContent } from '@runlog/service-kit/http-server-static';
import { type PageFiles, readBuiltPage, webFolder } from './page-files.ts';

/**
 * The policy allows nothing from elsewhere and nothing inline. Nobody may show the page in a frame unless it is configured,
 * not even this origin: a proxy may serve other software under the same one.
 */
const contentSecurityPolicy = (embedOrigins: readonly string[]) =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    // A script holds the font of the page's signs.
    'font-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    `frame-ancestors ${embedOrigins.length === 0 ? "'none'" : ["'self'", ...embedOrigins].join(' ')}`,
  ].join('; ');

/** The types of what the page loads, by the ending of the name. */
const types: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
};

/** The page is the same for as long as the process lives. */
let page: Promise<PageFiles> | undefined;

/** Adds `GET /` and the page's script and style. Pages of `embedOrigins` may show it in a frame. */
export async function addPageRoutes(server: FastifyInstance, embedOrigins: readonly string[]): Promise<void> {
  page ??= pageFiles();
  const { html, assets } = await page;
  const index = staticContent({
    type: 'text/html; charset=utf-8',
    body: html,
    headers: { 'content-security-policy': contentSecurityPolicy(embedOrigins) },
  });
  const served = new Map(
    [...assets].map(([file, body]) => {
      const type = types[file.slice(file.lastIndexOf('.') + 1)];
      if (type === undefined) throw new Error(`the page has a file of no known type: ${file}`);
      return [file, staticContent({ type, body, cacheControl: 'public, max-age=31536000, immutable' })];
    }),
  );
  server.get('/', (request, reply) => index.send(request, reply));
  server.get<{ Params: { file: string } }>('/assets/:file', (request, reply) => {
    const { file } = request.params;
    const asset = served.get(file);
    if (asset === undefined) throw new HttpFault('not_found', `no part of this page is called ${file}`);
    return asset.send(request, reply);
  });
}

/** A checkout has the sources of the page, whether it was ever packed or not. A tarball has the page, and needs no bundler. */
async function pageFiles(): Promise<PageFiles> {
  if (!existsSync(webFolder)) return readBuiltPage();
  const { bundlePage } = await import('./bundle-page.ts');
  return bundlePage();
}
