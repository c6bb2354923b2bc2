import { z } from 'zod';

type JsonSchema = Readonly<Record<string, unknown>>;

/** Returns TypeScript's declarations of what the schemas describe, so that types need no library of schemas. */
export function schemaTypes(schemas: Readonly<Record<string, z.ZodType>>): Map<string, string> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id });
  const described = z.toJSONSchema(registry, { io: 'input', uri: (id) => id });
  return new Map(
    Object.entries(described.schemas).map(([name, schema]) => [
      name,
      `export type ${name} = ${typeOf(schema as JsonSchema)};`,
    ]),
  );
}

function typeOf(schema: JsonSchema): string {
  if (typeof schema.$ref === 'string') return schema.$ref;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  const choices = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(choices)) return choices.map((choice) => typeOf(choice as JsonSchema)).join(' | ');
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeOf({ ...schema, type })).join(' | ');
  switch (schema.type) {
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type;
    case 'number':
    case 'integer':
      return 'number';
    case 'array':
      return arrayOf(schema);
    case 'object':
      return objectOf(schema);
    default:
      throw new Error(`there is no type for ${JSON.stringify(schema)}`);
  }
}

function arrayOf({ prefixItems, items }: JsonSchema): string {
  if (Array.isArray(prefixItems)) {
    return `readonly [${prefixItems.map((item) => typeOf(item as JsonSchema)).join(', ')}]`;
  }
  return `readonly (${typeOf(items as JsonSchema)})[]`;
}

function objectOf(schema: JsonSchema): string {
  const { properties = {}, required = [], additionalProperties, propertyNames } = schema;
  const fields = Object.entries(properties as Record<string, JsonSchema>).map(
    ([name, field]) =>
      `readonly ${name}${(required as string[]).includes(name) ? '' : '?'}: ${typeOf(field)};`,
  );
  if (fields.length > 0) return `{\n${fields.map(indented).join('\n')}\n}`;
  if (typeof additionalProperties !== 'object') return 'Readonly<Record<string, unknown>>';
  const key =
    propertyNames === undefined ? 'string' : typeOf({ type: 'string', ...(propertyNames as object) });
  return `Readonly<Record<${key}, ${typeOf(additionalProperties as JsonSchema)}>>`;
}

function indented(text: string): string {
  return text.replace(/^/gm, '    ');
}
