import fc from 'fast-check';

/**
 * JSON as text that is about to be damaged: other than a parsed value it can hold a key twice, a number that no parser
 * accepts, and a key such as `__proto__`.
 */
export type JsonNode =
  | { readonly kind: 'raw'; readonly text: string }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  | { readonly kind: 'object'; readonly fields: readonly (readonly [string, JsonNode])[] };

export const raw = (text: string): JsonNode => ({ kind: 'raw', text });

/** Turns a value into nodes, so that each part of it can be damaged. */
export function nodeOf(value: unknown): JsonNode {
  if (Array.isArray(value)) return { kind: 'array', items: value.map(nodeOf) };
  if (typeof value === 'object' && value !== null) {
    return { kind: 'object', fields: Object.entries(value).map(([name, each]) => [name, nodeOf(each)]) };
  }
  return raw(JSON.stringify(value) ?? 'null');
}

export function renderJson(node: JsonNode): string {
  switch (node.kind) {
    case 'raw':
      return node.text;
    case 'array':
      return `[${node.items.map(renderJson).join(',')}]`;
    case 'object':
      return `{${node.fields.map(([name, each]) => `${JSON.stringify(name)}:${renderJson(each)}`).join(',')}}`;
    default: {
      const unreachable: never = node;
      throw new Error(`unknown node ${String(unreachable)}`);
    }
  }
}

const DEPTH = 3_000;
const MANY = 10_000;

/** Values that a parser or a careless reader of a field may stumble over. */
const oddValue: fc.Arbitrary<JsonNode> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .constantFrom(
        ...[
          'null',
          'true',
          'false',
          '0',
          '-0',
          '-1',
          '5',
          '1.5',
          '1e308',
          '1e999',
          '-1e999',
          'NaN',
          'Infinity',
        ],
        ...['9007199254740991', '9007199254740993', '123456789012345678901234567890', '1e-7', '01', '0x10'],
        ...['""', '"x"', '"NaN"', '"\\u0000"', '"\\ud800"', '"\\u2028"', '"ﷺ𝒳🧪"', '"__proto__"', '"run:"'],
        ...[
          '[]',
          '{}',
          '[null]',
          '[[]]',
          '[{}]',
          '{"length":3}',
          '{"__proto__":{"ping":true}}',
          '{"ch":5}',
          'undefined',
        ],
      )
      .map(raw),
  },
  { weight: 1, arbitrary: fc.constant(raw(`${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}`)) },
  { weight: 1, arbitrary: fc.constant(raw(`${'{"a":'.repeat(DEPTH)}1${'}'.repeat(DEPTH)}`)) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('0', '{}', 'null')
      .map((each) => raw(`[${`${each},`.repeat(MANY - 1)}${each}]`)),
  },
  { weight: 1, arbitrary: fc.nat(5_000).map((length) => raw(JSON.stringify('x'.repeat(length)))) },
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 2 }).map((value) => raw(JSON.stringify(value))) },
);

type Damage =
  | {
      readonly do: 'replace' | 'wrap_array' | 'wrap_object' | 'remove' | 'double';
      readonly at: number;
      readonly by: JsonNode;
    }
  | { readonly do: 'add'; readonly at: number; readonly name: string; readonly by: JsonNode };

const damage = (names: readonly string[]): fc.Arbitrary<Damage> =>
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('replace' as const), at: fc.nat(40), by: oddValue }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('add' as const),
        at: fc.nat(40),
        name: fc.constantFrom(...names),
        by: oddValue,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom(
          'wrap_array' as const,
          'wrap_object' as const,
          'remove' as const,
          'double' as const,
        ),
        at: fc.nat(40),
        by: fc.constant(raw('null')),
      }),
    },
  );

/** Returns a generator of texts: valid values of `valid`, some of them damaged in up to four places. */
export function damagedJson(
  valid: fc.Arbitrary<unknown>,
  { names }: { names: readonly string[] },
): fc.Arbitrary<string> {
  const whole = valid.map((value) => renderJson(nodeOf(value)));
  const inParts = fc
    .tuple(valid, fc.array(damage(names), { minLength: 1, maxLength: 4 }))
    .map(([value, damages]) => renderJson(damages.reduce(damaged, nodeOf(value))));
  const inText = fc
    .tuple(
      valid,
      fc.nat(200),
      fc.nat(4),
      fc.constantFrom('', '{', '}', '"', ',', '\\', ':', '\t', '\r', '\u0000'),
    )
    .map(([value, at, cut, put]) => {
      const text = JSON.stringify(value);
      return text.slice(0, at) + put + text.slice(at + cut);
    });
  return fc.oneof(
    { weight: 4, arbitrary: whole },
    { weight: 8, arbitrary: inParts },
    { weight: 2, arbitrary: inText },
    { weight: 1, arbitrary: oddValue.map(renderJson) },
  );
}

/** Does one damage to the node that is the `at`th of the tree, counted around if there are fewer. */
function damaged(tree: JsonNode, how: Damage): JsonNode {
  const target = how.at % sizeOf(tree);
  let seen = -1;
  const visit = (node: JsonNode): JsonNode => {
    seen += 1;
    if (seen === target) return changed(node, how);
    switch (node.kind) {
      case 'raw':
        return node;
      case 'array':
        return { ...node, items: node.items.map(visit) };
      case 'object':
        return { ...node, fields: node.fields.map(([name, each]) => [name, visit(each)] as const) };
      default: {
        const unreachable: never = node;
        throw new Error(`unknown node ${String(unreachable)}`);
      }
    }
  };
  return visit(tree);
}

function changed(node: JsonNode, how: Damage): JsonNode {
  switch (how.do) {
    case 'replace':
      return how.by;
    case 'wrap_array':
      return { kind: 'array', items: [node] };
    case 'wrap_object':
      return { kind: 'object', fields: [['ch', node]] };
    case 'remove':
      if (node.kind === 'object') return { ...node, fields: node.fields.slice(1) };
      if (node.kind === 'array') return { ...node, items: node.items.slice(1) };
      return raw('null');
    case 'double':
      if (node.kind === 'object') return { ...node, fields: [...node.fields, ...node.fields.slice(-1)] };
      if (node.kind === 'array') return { ...node, items: [...node.items, ...node.items] };
      return { kind: 'array', items: [node, node] };
    case 'add':
      if (node.kind === 'object') return { ...node, fields: [...node.fields, [how.name, how.by]] };
      if (node.kind === 'array') return { ...node, items: [...node.items, how.by] };
      return { kind: 'object', fields: [[how.name, how.by]] };
    default: {
      const unreachable: never = how;
      throw new Error(`unknown damage ${String(unreachable)}`);
    }
  }
}

function sizeOf(node: JsonNode): number {
  const below =
    node.kind === 'array' ? node.items : node.kind === 'object' ? node.fields.map(([, each]) => each) : [];
  return below.reduce((sum, each) => sum + sizeOf(each), 1);
}
