import { createHash } from 'node:crypto';
import type { OpenApiDocument, Operation } from '@runlog/schema/documents/openapi';
import type { FastifyInstance } from './http-server.ts';
import { staticContent } from './http-server-static.ts';

const STYLE = `body{max-width:60rem;margin:2rem auto;padding:0 1rem;font:15px/1.5 system-ui,sans-serif;color-scheme:light dark}
code,pre{font:13px/1.5 ui-monospace,monospace}pre{overflow:auto;padding:.8rem;border:1px solid #8884;border-radius:6px}
h2{margin-top:2.5rem;border-top:1px solid #8884;padding-top:1rem}td,th{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0}`;

const styleHash = createHash('sha256').update(STYLE).digest('base64');
const contentSecurityPolicy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** Adds `GET /openapi.json`, and `GET /docs`, which is the same as a page that loads nothing else. */
export function addDocsRoutes(server: FastifyInstance, document: OpenApiDocument): void {
  const json = staticContent({ type: 'application/json; charset=utf-8', body: JSON.stringify(document) });
  const page = staticContent({
    type: 'text/html; charset=utf-8',
    body: docsPage(document),
    headers: { 'content-security-policy': contentSecurityPolicy },
  });
  server.get('/openapi.json', (request, reply) => json.send(request, reply));
  server.get('/docs', (request, reply) => {
    // The page's addresses are relative to /docs, also where a proxy serves it under a path.
    if (request.url.split('?')[0]!.endsWith('/')) return reply.redirect('../docs', 308);
    return page.send(request, reply);
  });
}

function docsPage({ info, paths, components }: OpenApiDocument): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) =>
      operationPart(`${method.toUpperCase()} ${path}`, operation),
    ),
  );
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<h3 id="${escapeHtml(name)}">${escapeHtml(name)}</h3><pre>${escapeHtml(JSON.stringify(schema, null, 2))}</pre>`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(info.title)}</title><style>${STYLE}</style></head><body><h1>${escapeHtml(info.title)} ${escapeHtml(info.version)}</h1><p>${text(info.description)}</p><p>The same for machines: <a href="openapi.json">openapi.json</a></p>${operations.join('')}<h2>Schemas</h2>${schemas.join('')}</body></html>`;
}

function operationPart(title: string, operation: Operation): string {
  const parameters = (operation.parameters ?? []).map(
    ({ name, in: place, description }) =>
      `<tr><td><code>${escapeHtml(name)}</code></td><td>${place}</td><td>${text(description)}</td></tr>`,
  );
  const bodies = Object.entries(operation.requestBody?.content ?? {}).map(
    ([type, { example }]) =>
      `<p>Body <code>${escapeHtml(type)}</code></p>${example === undefined ? '' : `<pre>${escapeHtml(typeof example === 'string' ? example : JSON.stringify(example, null, 2))}</pre>`}`,
  );
  const responses = Object.entries(operation.responses).map(
    ([status, { description }]) => `<tr><td><code>${status}</code></td><td>${text(description)}</td></tr>`,
  );
  return `<h2><code>${escapeHtml(title)}</code></h2><p>${text(operation.summary)}${operation.description === undefined ? '' : `. ${text(operation.description)}`}</p>${parameters.length === 0 ? '' : `<table>${parameters.join('')}</table>`}${bodies.join('')}<table>${responses.join('')}</table>`;
}

/** Escapes text and turns backquoted words into code. */
function text(plain: string): string {
  return escapeHtml(plain).replace(/`([^`]*)`/g, '<code>$1</code>');
}

function escapeHtml(plain: string): string {
  return plain
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
