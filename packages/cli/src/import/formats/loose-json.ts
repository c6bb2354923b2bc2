import { quoteNonFinite } from '@runlog/ingest/split-body';
import { parseJson } from '@runlog/topic-io/parse-json';

/** Parses JSON as Python writes it: bare NaN and infinities become text. `undefined` if it is none. */
export function looseJson(text: string): unknown {
  const value = parseJson(text);
  if (value !== undefined) return value;
  // The literals are known where a value may stand, so inside an array.
  const quoted = quoteNonFinite(Buffer.from(`[${text}]`));
  const list = quoted === null ? undefined : parseJson(quoted.toString('utf8'));
  return Array.isArray(list) && list.length === 1 ? list[0] : undefined;
}
