import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from '@runlog/service-kit/http-server';
import { build } from 'esbuild';

const webFolder = new URL('../../web/', import.meta.url);
/** The paths of our packages that the page uses, because a tarball's installation has no links to them. */
const ownPackages = Object.fromEntries(
  ['client', 'run-state', 'schema'].map((name) => [
    `@runlog/${name}`,
    fileURLToPath(new URL(`../../../../packages/${name}/src`, import.meta.url)),
  ]),
);

/** The policy allows nothing from elsewhere, nothing inline, and no frame around the page. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

interface Asset {
  readonly path: string;
  readonly type: string;
  readonly body: string;
}

/** The page and what it loads, bundled in memory once per process. */
let bundled: Promise<readonly Asset[]> | undefined;

/** Adds `GET /` and the page's script and style. */
export async function addPageRoutes(server: FastifyInstance): Promise<void> {
  bundled ??= bundlePage();
  for (const { path, type, body } of await bundled) {
    server.get(path, (_request, reply) =>
      reply
        .type(type)
        .header('content-security-policy', contentSecurityPolicy)
        .header('x-content-type-options', 'nosniff')
        .header('referrer-policy', 'no-referrer')
        .header('cache-control', 'no-cache')
        .send(body),
    );
  }
}

async function bundlePage(): Promise<readonly Asset[]> {
  const [html, script, style] = await Promise.all([
    readFile(new URL('index.html', webFolder), 'utf8'),
    bundle('main.tsx'),
    bundle('style.css'),
  ]);
  return [
    { path: '/', type: 'text/html; charset=utf-8', body: html },
    { path: '/assets/main.js', type: 'text/javascript; charset=utf-8', body: script },
    { path: '/assets/style.css', type: 'text/css; charset=utf-8', body: style },
  ];
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
