import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { contentHash } from '@runlog/service-kit/entity-tag';
import { type FastifyInstance, HttpFault } from '@runlog/service-kit/http-server';
import { type StaticContent, staticContent } from '@runlog/service-kit/http-server-static';
import { build } from 'esbuild';

const webFolder = new URL('../../web/', import.meta.url);
/** The paths of our packages that the page uses, because a tarball's installation has no links to them. */
const ownPackages = Object.fromEntries(
  ['client', 'run-state', 'schema'].map((name) => [
    `@runlog/${name}`,
    fileURLToPath(new URL(`../../../../packages/${name}/src`, import.meta.url)),
  ]),
);

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
    "base-uri 'none'",
    "form-action 'none'",
    `frame-ancestors ${embedOrigins.length === 0 ? "'none'" : ["'self'", ...embedOrigins].join(' ')}`,
  ].join('; ');

interface Page {
  readonly html: string;
  /** What the page loads, by its file name. A name holds the hash of its content, so that it may be kept for ever. */
  readonly assets: ReadonlyMap<string, StaticContent>;
}

/** The page and what it loads, bundled in memory once per process. */
let bundled: Promise<Page> | undefined;

/** Adds `GET /` and the page's script and style. Pages of `embedOrigins` may show it in a frame. */
export async function addPageRoutes(server: FastifyInstance, embedOrigins: readonly string[]): Promise<void> {
  bundled ??= bundlePage();
  const { html, assets } = await bundled;
  const page = staticContent({
    type: 'text/html; charset=utf-8',
    body: html,
    headers: { 'content-security-policy': contentSecurityPolicy(embedOrigins) },
  });
  server.get('/', (request, reply) => page.send(request, reply));
  server.get<{ Params: { file: string } }>('/assets/:file', (request, reply) => {
    const { file } = request.params;
    const asset = assets.get(file);
    if (asset === undefined) throw new HttpFault('not_found', `no part of this page is called ${file}`);
    return asset.send(request, reply);
  });
}

async function bundlePage(): Promise<Page> {
  const [html, script, style] = await Promise.all([
    readFile(new URL('index.html', webFolder), 'utf8'),
    bundle('main.tsx'),
    bundle('style.css'),
  ]);
  const assets = new Map<string, StaticContent>();
  let linked = html;
  for (const { name, ending, type, body } of [
    { name: 'main', ending: 'js', type: 'text/javascript; charset=utf-8', body: script },
    { name: 'style', ending: 'css', type: 'text/css; charset=utf-8', body: style },
  ]) {
    const file = `${name}-${contentHash(body)}.${ending}`;
    assets.set(file, staticContent({ type, body, cacheControl: 'public, max-age=31536000, immutable' }));
    linked = linked.replace(`assets/${name}.${ending}`, `assets/${file}`);
  }
  return { html: linked, assets };
}

async function bundle(entry: string): Promise<string> {
  const result = await build({
    entryPoints: [fileURLToPath(new URL(entry, webFolder))],
    bundle: true,
    alias: ownPackages,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    logLevel: 'silent',
  });
  const [file] = result.outputFiles;
  if (file === undefined) throw new Error(`esbuild produced nothing for ${entry}`);
  return file.text;
}
