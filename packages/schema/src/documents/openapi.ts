import { z } from 'zod';
import { type HttpFaultCode, httpFaults } from '../faults.ts';
import { healthSchema } from '../http/health.ts';

/** A JSON Schema of draft 2020-12, which OpenAPI 3.1 uses unchanged. */
export type JsonSchema = Readonly<Record<string, unknown>>;

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonSchema;
}

type Content = Readonly<Record<string, { readonly schema: JsonSchema; readonly example?: unknown }>>;

export interface Response {
  readonly description: string;
  readonly headers?: Readonly<Record<string, { readonly description: string; readonly schema: JsonSchema }>>;
  readonly content?: Content;
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, Response>>;
  /** If it is empty, no key is ever required. */
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
}

export interface OpenApiDocument {
  readonly openapi: '3.1.1';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Partial<Record<'get' | 'post', Operation>>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly securitySchemes: Readonly<Record<string, unknown>>;
  };
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  /** Relative to the document's own address, so that it holds under any name and any path of a proxy. */
  readonly servers: readonly { readonly url: string }[];
}

export const API_VERSION = '0.1.0';

const retryAfter = {
  description: 'Seconds until the same can succeed',
  schema: { type: 'integer', minimum: 1 },
};
const challenge = { description: 'Bearer', schema: { type: 'string' } };

/**
 * Makes the document of one service and adds what every service has. `schemas` gives the named schemas, as zod schemas.
 */
export function openApiDocument(of: {
  title: string;
  description: string;
  paths: OpenApiDocument['paths'];
  schemas: Readonly<Record<string, z.ZodType>>;
}): OpenApiDocument {
  const schemas = Object.fromEntries(
    Object.entries(of.schemas).map(([name, schema]) => [name, jsonSchemaOf(schema)]),
  );
  return {
    openapi: '3.1.1',
    info: { title: of.title, version: API_VERSION, description: of.description },
    paths: answeringHosts({ ...of.paths, ...commonPaths }),
    components: {
      schemas: { ...schemas, Fault: jsonSchemaOf(faultSchema), Health: jsonSchemaOf(healthSchema) },
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
    },
    // A key is required if RUNLOG_KEYS_FILE is set, else none.
    security: [{ key: [] }, {}],
    servers: [{ url: '.' }],
  };
}

/** Returns the JSON Schema of what clients may send or must expect. Fields that are not named are allowed. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: 'input',
    override: ({ jsonSchema }) => {
      // A tuple is written in a form that every tool understands: as a list of any of its parts.
      const { prefixItems, ...list } = jsonSchema;
      if (prefixItems === undefined) return;
      const [part, ...others] = new Map(prefixItems.map((item) => [JSON.stringify(item), item])).values();
      delete jsonSchema.prefixItems;
      Object.assign(jsonSchema, list, { items: others.length === 0 ? part : { anyOf: [part, ...others] } });
    },
  });
  return rest;
}

/** Returns the parameters of a query as its schema reads them, each with the values that its text stands for. */
export function queryParameters(schema: z.ZodObject): readonly Parameter[] {
  return Object.entries(schema.shape).map(([name, value]) => {
    const read = z.toJSONSchema(value as z.ZodType, { target: 'draft-2020-12', io: 'output' });
    const {
      $schema: _,
      description,
      default: _default,
      ...rest
    } = read as JsonSchema & { description?: string };
    if (description === undefined) throw new Error(`the parameter ${name} has no description`);
    const required = !(value as z.ZodType).safeParse(undefined).success;
    return { name, in: 'query', required, description, schema: rest };
  });
}

export function refTo(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

export function jsonResponse(description: string, schema: JsonSchema): Response {
  return { description, content: { 'application/json': { schema } } };
}

/** Returns the responses of these faults, by status, with Retry-After if a retry can succeed. */
export function faultResponses(
  means: Readonly<Partial<Record<HttpFaultCode, string>>>,
): Readonly<Record<string, Response>> {
  const byStatus = new Map<number, { codes: string[]; retry: boolean }>();
  for (const [code, meaning] of Object.entries(means) as [HttpFaultCode, string][]) {
    const { status, retry } = httpFaults[code];
    const held = byStatus.get(status) ?? { codes: [], retry: false };
    held.codes.push(`\`${code}\`: ${meaning}`);
    held.retry ||= retry;
    byStatus.set(status, held);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, { codes, retry }]) => [
      String(status),
      {
        ...jsonResponse(codes.join('; '), refTo('Fault')),
        ...(retry ? { headers: { 'Retry-After': retryAfter } } : {}),
        ...(status === 401 ? { headers: { 'WWW-Authenticate': challenge } } : {}),
      },
    ]),
  );
}

/** Adds the answer that every operation gives to a request for another host. */
function answeringHosts(paths: OpenApiDocument['paths']): OpenApiDocument['paths'] {
  const misdirected = faultResponses({
    misdirected: 'the service is open, and `Host` is not a loopback name',
  });
  const added = (operation: Operation): Operation => ({
    ...operation,
    responses: { ...misdirected, ...operation.responses },
  });
  return Object.fromEntries(
    Object.entries(paths).map(([path, methods]) => [
      path,
      Object.fromEntries(Object.entries(methods).map(([method, operation]) => [method, added(operation)])),
    ]),
  );
}

/** For content that a client may hold already. */
export const ifNoneMatch: Parameter = {
  ...{ name: 'If-None-Match', in: 'header', required: false },
  description: 'The ETag of what the client holds',
  schema: { type: 'string' },
};
export const etag = { ETag: { description: 'Names the content', schema: { type: 'string' } } };
export const held: Response = { description: 'The client holds the content', headers: etag };

/** The body of every error. */
export const faultSchema = z.object({
  error: z.object({
    code: z.enum(Object.keys(httpFaults) as [HttpFaultCode, ...HttpFaultCode[]]),
    message: z.string(),
  }),
});

const open = { security: [] } as const;
const textOf = (type: string, description: string): Response => ({
  description,
  content: { [type]: { schema: { type: 'string' } } },
});

const whileClosing = faultResponses({ closing: 'this process shuts down' });

const commonPaths: OpenApiDocument['paths'] = {
  '/livez': {
    get: {
      ...{ operationId: 'livez', summary: 'Whether the process answers', ...open },
      responses: { 200: jsonResponse('It does', refTo('Health')), ...whileClosing },
    },
  },
  '/readyz': {
    get: {
      ...{ operationId: 'readyz', summary: 'Whether it can do its work', ...open },
      responses: {
        200: jsonResponse('It can', refTo('Health')),
        ...faultResponses({ not_ready: 'the message says what it waits for', closing: 'it shuts down' }),
      },
    },
  },
  '/metrics': {
    get: {
      ...{ operationId: 'metrics', summary: 'Figures in the Prometheus text format' },
      responses: {
        200: textOf('text/plain', 'The figures'),
        ...faultResponses({ unauthorized: 'keys are asked for; any valid one will do' }),
        ...whileClosing,
      },
    },
  },
  '/openapi.json': {
    get: {
      ...{ operationId: 'openapi', summary: 'This document', ...open },
      parameters: [ifNoneMatch],
      responses: {
        200: { ...jsonResponse('OpenAPI 3.1', { type: 'object' }), headers: etag },
        304: held,
        ...whileClosing,
      },
    },
  },
  '/docs': {
    get: {
      ...{ operationId: 'docs', summary: 'This document as a page', ...open },
      parameters: [ifNoneMatch],
      responses: {
        200: { ...textOf('text/html', 'The page'), headers: etag },
        304: held,
        ...whileClosing,
      },
    },
  },
};
