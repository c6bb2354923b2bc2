import { gzipSync } from 'node:zlib';
import { startMadeUpGateway } from '@runlog/gateway/made-up/made-up-gateway';
import { MadeUpKeys } from '@runlog/gateway/made-up/made-up-keys';
import type { JsonSchema, OpenApiDocument, Operation } from '@runlog/schema/documents/openapi';
import { gatewayOpenApi } from '@runlog/schema/documents/openapi-gateway';
import { ingestOpenApi } from '@runlog/schema/documents/openapi-ingest';
import { BODY_BYTES_MAX, BODY_EVENTS_MAX } from '@runlog/schema/limits';
import { routesOf } from '@runlog/service-kit/http-server';
import { createLogger } from '@runlog/service-kit/logger';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createIngestServer } from '../../services/ingest/src/http-server.ts';
import { EmbeddedIngest, noteText } from '../support/embedded-ingest.ts';
import { makeKeyFile } from '../support/key-file.ts';

const documents = [
  ['ingest', ingestOpenApi],
  ['gateway', gatewayOpenApi],
] as const;

const document = z.strictObject({
  openapi: z.string().regex(/^3\.1\.\d$/),
  info: z.strictObject({
    title: z.string().min(1),
    version: z.string().min(1),
    description: z.string().min(1),
  }),
  paths: z.record(
    z.string().startsWith('/'),
    z.record(z.enum(['get', 'post']), z.unknown()).or(z.partialRecord(z.enum(['get', 'post']), z.unknown())),
  ),
  components: z.strictObject({
    schemas: z.record(z.string().regex(/^[A-Za-z0-9._-]+$/), z.looseObject({})),
    securitySchemes: z.record(z.string(), z.looseObject({ type: z.enum(['http', 'apiKey']) })),
  }),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  servers: z.tuple([z.strictObject({ url: z.literal('.') })]),
});

const media = z.record(
  z.string().regex(/^[\w.+-]+\/[\w.+-]+$/),
  z.strictObject({ schema: z.looseObject({}), example: z.unknown().optional() }),
);
const header = z.strictObject({ description: z.string(), schema: z.looseObject({}) });
const operation = z.strictObject({
  operationId: z.string().min(1),
  summary: z.string().min(1),
  description: z.string().optional(),
  parameters: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        in: z.enum(['path', 'query', 'header']),
        required: z.boolean(),
        description: z.string().min(1),
        schema: z.looseObject({}),
      }),
    )
    .optional(),
  requestBody: z.strictObject({ required: z.boolean(), content: media }).optional(),
  responses: z.record(
    z.string().regex(/^[1-5]\d\d$/),
    z.strictObject({
      description: z.string().min(1),
      headers: z.record(z.string(), header).optional(),
      content: media.optional(),
    }),
  ),
  security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
});

function operationsOf({ paths }: OpenApiDocument): { path: string; method: string; operation: Operation }[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, each]) => ({ path, method, operation: each })),
  );
}

/**
 * Makes a validator from a schema of the document. Fields that it does not name are not allowed, so that nothing stays
 * undocumented.
 */
function validatorOf(of: OpenApiDocument, schema: JsonSchema): z.ZodType {
  const closed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(closed);
    if (typeof value !== 'object' || value === null) return value;
    // zod does not support `not`, and no response uses it.
    const entries = Object.entries(value)
      .filter(([name]) => name !== 'not')
      .map(([name, inner]) => [
        name,
        name === '$ref' ? String(inner).replace('#/components/schemas/', '#/$defs/') : closed(inner),
      ]);
    const isOpenObject = 'properties' in value && !('additionalProperties' in value);
    return Object.fromEntries(isOpenObject ? [...entries, ['additionalProperties', false]] : entries);
  };
  return z.fromJSONSchema({
    ...(closed(schema) as object),
    $defs: closed(of.components.schemas),
  } as Parameters<typeof z.fromJSONSchema>[0]);
}

/** Checks real responses against a document, and remembers which documented responses were seen. */
function witness(of: OpenApiDocument) {
  const seen = new Set<string>();
  return {
    seen,
    async check(response: Response, at: { method: 'get' | 'post'; path: string }): Promise<void> {
      const described = of.paths[at.path]?.[at.method]?.responses[String(response.status)];
      const what = `${at.method} ${at.path} ${response.status}`;
      expect(described, `${what} is not documented`).toBeDefined();
      seen.add(what);
      for (const name of ['Retry-After', 'WWW-Authenticate', 'ETag']) {
        if (response.headers.has(name)) expect(described?.headers, `${what} ${name}`).toHaveProperty(name);
      }
      if (described?.content === undefined) return;
      const type = response.headers.get('content-type')?.split(';')[0] ?? '';
      expect(Object.keys(described.content), what).toContain(type);
      if (type !== 'application/json') return;
      const result = validatorOf(of, described.content[type]!.schema).safeParse(await response.json());
      expect(result.success ? [] : result.error.issues, what).toEqual([]);
    },
  };
}

describe.each(documents)('the OpenAPI document of %s', (_name, of) => {
  it('is an OpenAPI 3.1 document whose references all resolve', () => {
    expect(document.parse(JSON.parse(JSON.stringify(of)))).toBeTruthy();
    const ids = operationsOf(of).map(({ operation: { operationId } }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { path, operation: each } of operationsOf(of)) {
      operation.parse(JSON.parse(JSON.stringify(each)));
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = (each.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name);
      expect(declared).toEqual(inPath);
    }
    const text = JSON.stringify(of);
    for (const [, name] of text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
      expect(of.components.schemas).toHaveProperty([name!]);
    }
    for (const schema of Object.values(of.components.schemas)) validatorOf(of, schema);
  });
});

/** `/v1/runs/:cluster` → `/v1/runs/{cluster}`. */
function served(routes: readonly { method: string; url: string }[]): string[] {
  return [
    ...new Set(routes.map(({ method, url }) => `${method.toLowerCase()} ${url.replace(/:(\w+)/g, '{$1}')}`)),
  ];
}

describe('the documents and the services', () => {
  it('name the same routes of ingest', async () => {
    const server = createIngestServer({
      logger: createLogger({ service: 'test', level: 'silent' }),
      ...{ now: Date.now, random: Math.random, keys: null },
      state: {
        openLog: () => null,
        notReadyBecause: async () => null,
        closing: () => false,
        newerBuild: () => null,
        inFlight: () => undefined,
      },
    });
    await server.ready();
    const documented = operationsOf(ingestOpenApi).map(({ method, path }) => `${method} ${path}`);
    const routes = served(routesOf(server)).filter((route) => !route.startsWith('head '));
    expect(routes.sort()).toEqual([...documented].sort());
    await server.close();
  });

  it('name the same routes and parameters of the gateway', async () => {
    await using gateway = await startMadeUpGateway();
    const documented = operationsOf(gatewayOpenApi).map(({ method, path }) => `${method} ${path}`);
    const routes = served(gateway.routes).filter((route) => !route.startsWith('head '));
    expect(routes.sort()).toEqual([...documented].sort());
  });

  it('agree on what ingest answers', async () => {
    await using keys = await makeKeyFile();
    const secret = await keys.add('c1', { role: 'publish', cluster: 'c1', events_per_second: 1 });
    const view = await keys.add('ops', { role: 'view', runs: ['*'] });
    await using open = await EmbeddedIngest.start();
    await using keyed = await EmbeddedIngest.start({ RUNLOG_KEYS_FILE: keys.path });
    const { check, seen } = witness(ingestOpenApi);
    for (const path of ['/', '/livez', '/readyz', '/metrics', '/openapi.json', '/docs']) {
      await check(await fetch(`${open.url}${path}`), { method: 'get', path });
    }
    await check(await fetch(`${keyed.url}/metrics`), { method: 'get', path: '/metrics' });
    const post = { method: 'post', path: '/v1/events' } as const;
    const publish = ingestOpenApi.paths['/v1/events']?.post;
    const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
    const broken = noteText({ timestamp: 'now' });
    for (const response of [
      await open.post(),
      await open.post({ body: `${noteText()}\n${broken}\n{` }),
      await open.post({ query: '?dry_run=1' }),
      await open.post({ query: '?other=1' }),
      await open.post({ body: '[', headers: { 'content-type': 'application/json' } }),
      await open.post({ body: broken }),
      await open.post({ headers: { 'content-type': 'text/plain' } }),
      await open.post({ headers: { 'content-encoding': 'br' } }),
      await open.post({ body: `${noteText()}\n`.repeat(BODY_EVENTS_MAX + 1) }),
      await open.post({ body: ' '.repeat(BODY_BYTES_MAX + 1) }),
      await open.post({ body: gzipSync('').toString('latin1'), headers: { 'content-encoding': 'gzip' } }),
      await keyed.post(),
      await keyed.post(bearer(view)),
      await keyed.post({ ...bearer(secret), body: `${noteText()}\n`.repeat(BODY_EVENTS_MAX) }),
      await keyed.post(bearer(secret)),
    ]) {
      await check(response, post);
    }
    for (const [type, { example }] of Object.entries(publish?.requestBody?.content ?? {})) {
      const body = typeof example === 'string' ? example : JSON.stringify(example);
      const response = await open.post({ body, headers: { 'content-type': type } });
      expect(response.status, type).toBe(200);
    }
    const statuses = Object.keys(publish?.responses ?? {});
    // Stalled bodies, other hosts, a dead log and our own faults are tested elsewhere.
    const elsewhere = ['408', '421', '500', '503'];
    const expected = statuses.filter((status) => !elsewhere.includes(status));
    expect(expected.filter((status) => !seen.has(`post /v1/events ${status}`))).toEqual([]);
  });

  it('agree on what the gateway answers', async () => {
    const keys = new MadeUpKeys({
      some: { role: 'view', runs: ['c1/*'] },
      pub: { role: 'publish', cluster: 'c1' },
    });
    await using open = await startMadeUpGateway();
    await using keyed = await startMadeUpGateway({ keys });
    open.append('c1/r1/default', [{}, { eventType: 'SEED_FOSSILIZED', data: { slot_id: 'r0c1' } }]);
    const { check, seen } = witness(gatewayOpenApi);
    const run = '/v1/runs/{cluster}/{run}/{group}';
    const get = async (url: string, path: string, headers: Record<string, string> = {}) =>
      check(await fetch(url, { headers }), { method: 'get', path });
    for (const path of Object.keys(gatewayOpenApi.paths).filter((each) => !each.startsWith('/v1/'))) {
      await get(`${open.url}${path}`, path);
    }
    const html = await (await fetch(open.url)).text();
    for (const [asset] of html.matchAll(/assets\/[\w-]+\.(js|css)/g)) {
      await get(`${open.url}/${asset}`, '/assets/{file}');
    }
    await get(`${open.url}/v1/runs`, '/v1/runs');
    await get(`${open.url}/v1/runs?limit=no`, '/v1/runs');
    const at = `${open.url}/v1/runs/c1/r1/default`;
    await get(at, run);
    await get(at, run, { 'if-none-match': (await fetch(at)).headers.get('etag')! });
    await get(`${open.url}/v1/runs/c1/none/default`, run);
    await get(`${at}/events?limit=no`, `${run}/events`);
    await get(`${open.url}/v1/runs/c1/none/default/events`, `${run}/events`);
    await get(`${at}/events`, `${run}/events`);
    await get(`${at}?at=no`, run);
    await get(`${at}?at=0`, run);
    await get(`${at}?at=999`, run);
    await get(`${at}/timeline`, `${run}/timeline`);
    await get(`${at}/timeline?no=1`, `${run}/timeline`);
    await get(`${open.url}/v1/runs/c1/none/default/timeline`, `${run}/timeline`);
    await get(`${at}/figures`, `${run}/figures`);
    await get(`${at}/figures?points=1&name=val_loss`, `${run}/figures`);
    await get(`${at}/figures`, `${run}/figures`, { 'if-none-match': '"e1.2"' });
    await get(`${at}/figures?points=0`, `${run}/figures`);
    await get(`${open.url}/v1/runs/c1/none/default/figures`, `${run}/figures`);
    for (const [url, method] of [
      [`${at}/proof`, 'get'],
      [`${at}/proof?no=1`, 'get'],
      [`${open.url}/v1/runs/c1/none/default/proof`, 'get'],
      [`${at}/proof`, 'post'],
      [`${open.url}/v1/runs/c1/none/default/proof`, 'post'],
    ] as const) {
      await check(await fetch(url, { method }), { method, path: `${run}/proof` });
    }
    await get(`${open.url}/v1/stream`.replace('/v1/stream', '/v1/runs/c1/-/default/stream'), `${run}/stream`);
    for (const [headers, url, path] of [
      [{}, '/v1/runs', '/v1/runs'],
      [{ authorization: 'Bearer pub' }, '/v1/runs', '/v1/runs'],
      [{}, '/v1/runs/c1/r1/default', run],
      [{ authorization: 'Bearer some' }, '/v1/runs/c2/r1/default', run],
      [{ authorization: 'Bearer some' }, '/v1/runs/c2/r1/default/events', `${run}/events`],
      [{ authorization: 'Bearer some' }, '/v1/runs/c2/r1/default/timeline', `${run}/timeline`],
      [{ authorization: 'Bearer some' }, '/v1/runs/c2/r1/default/figures', `${run}/figures`],
      [{ authorization: 'Bearer some' }, '/v1/runs/c2/r1/default/proof', `${run}/proof`],
      [{ authorization: 'Bearer some' }, '/v1/runs/c2/r1/default/stream', `${run}/stream`],
      [{}, '/metrics', '/metrics'],
    ] as const) {
      await get(`${keyed.url}${url}`, path, headers);
    }
    open.isCaughtUp = false;
    for (const [url, path] of [
      ['/readyz', '/readyz'],
      ['/v1/runs', '/v1/runs'],
      ['/v1/runs/c1/r1/default', run],
    ] as const) {
      await get(`${open.url}${url}`, path);
    }
    expect(seen).toContain(`get ${run} 304`);
    expect(seen).toContain('get /v1/runs 503');
    expect(seen).toContain('get /assets/{file} 200');
    expect(seen).toContain('get /assets/{file} 404');
  });

  it('are shown as a page that loads nothing else', async () => {
    await using gateway = await startMadeUpGateway();
    const response = await fetch(`${gateway.url}/docs`);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    const html = await response.text();
    expect(html).toContain('GET /v1/runs/{cluster}/{run}/{group}');
    expect(html).not.toMatch(/<script|src=|https?:/);
    expect(await (await fetch(`${gateway.url}/openapi.json`)).json()).toEqual(
      JSON.parse(JSON.stringify(gatewayOpenApi)),
    );
  });
});
