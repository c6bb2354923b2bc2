import { z } from 'zod';

/** Schemas of values in a query string, where every value is text. OpenAPI shows what the text stands for. */

/** Fifteen digits. */
const SEQ_MAX = 999_999_999_999_999;

/** A whole number. */
export function wholeNumber({ min, max }: { min: number; max: number }) {
  return z
    .string()
    .regex(/^(-1|\d{1,15})$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(min, `must be from ${min} to ${max}`).max(max, `must be from ${min} to ${max}`));
}

/** A `seq`, or -1 where `min` allows it. */
export function seqText({ min = 0 }: { min?: 0 | -1 } = {}) {
  return wholeNumber({ min, max: SEQ_MAX });
}

/** Text as an item of a list: a comma would separate it. */
export function listedText({ charsMax }: { charsMax: number }) {
  return z
    .string()
    .min(1)
    .max(charsMax)
    .regex(/^[^,]*$/, 'must not contain a comma');
}

/** One or more values: separated by commas, or in parameters of the same name. */
export function listOf<Item extends z.ZodType>(item: Item, { max }: { max: number }) {
  return (
    z
      .union([z.string(), z.array(z.string())])
      // The items judge their own text.
      .transform((sent) => [sent].flat().flatMap((each) => each.split(',')) as z.input<Item>[])
      .pipe(z.array(item).min(1).max(max))
  );
}
