/** A top-level field to insert into a JSON object, with its value as JSON text. */
export interface FieldToInsert {
  readonly name: string;
  readonly json: string;
  /** Is true if the object already has the field, with null or another scalar. */
  readonly replaces: boolean;
}

/**
 * Inserts fields into a JSON object and leaves its other bytes alone. A new field goes right after the opening brace; a
 * field that the object has is replaced in place. The object must be well-formed and not empty.
 */
export function insertFields(line: Buffer, fields: readonly FieldToInsert[]): Buffer {
  const added = fields.filter((field) => !field.replaces);
  const replaced = fields.filter((field) => field.replaces);
  let result = line;
  if (replaced.length > 0) result = replaceScalars(result, replaced);
  if (added.length === 0) return result;
  const brace = result.indexOf(0x7b);
  if (brace === -1) throw new Error('not a JSON object');
  const text = added.map(({ name, json }) => `${JSON.stringify(name)}:${json},`).join('');
  return Buffer.concat([result.subarray(0, brace + 1), Buffer.from(text), result.subarray(brace + 1)]);
}

function replaceScalars(line: Buffer, fields: readonly FieldToInsert[]): Buffer {
  const wanted = new Map(fields.map(({ name, json }) => [name, json]));
  const pieces: Buffer[] = [];
  let copied = 0;
  for (const { name, valueStart } of topLevelFields(line)) {
    const json = wanted.get(name);
    if (json === undefined) continue;
    pieces.push(line.subarray(copied, valueStart), Buffer.from(json));
    copied = scalarEnd(line, valueStart);
  }
  pieces.push(line.subarray(copied));
  return Buffer.concat(pieces);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const BRACE_CLOSE = 0x7d;

/** Yields the names of a well-formed object's own fields and where each value begins. */
function* topLevelFields(line: Buffer): Generator<{ name: string; valueStart: number }> {
  let depth = 0;
  let lastString: { start: number; end: number } | null = null;
  for (let at = 0; at < line.length; at += 1) {
    const byte = line[at]!;
    if (byte === QUOTE) {
      const start = at;
      for (at += 1; at < line.length && line[at] !== QUOTE; at += 1) if (line[at] === BACKSLASH) at += 1;
      lastString = { start, end: at + 1 };
    } else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
    } else if (byte === COLON && depth === 1 && lastString !== null) {
      let valueStart = at + 1;
      while (isSpace(line[valueStart])) valueStart += 1;
      const name: unknown = JSON.parse(line.toString('utf8', lastString.start, lastString.end));
      yield { name: String(name), valueStart };
    }
  }
}

function scalarEnd(line: Buffer, start: number): number {
  let at = start;
  if (line[at] === QUOTE) {
    for (at += 1; at < line.length && line[at] !== QUOTE; at += 1) if (line[at] === BACKSLASH) at += 1;
    return at + 1;
  }
  while (at < line.length && line[at] !== COMMA && line[at] !== BRACE_CLOSE && !isSpace(line[at])) at += 1;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}
