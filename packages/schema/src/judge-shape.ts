import { z } from 'zod';

/**
 * The same as `schema.safeParse`, for values that strangers send. It never throws: zod compares the `length` of a value even
 * where it is not that of a text or a list, and an object that cannot become a number makes that comparison throw.
 */
export function judgeShape<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.ZodSafeParseResult<z.output<Schema>> {
  try {
    return schema.safeParse(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const message = 'a field holds an object where there must be none';
    const fault = new z.ZodError([{ code: 'custom', path: [], message, input: value }]);
    return { success: false, error: fault as z.ZodError<z.output<Schema>> };
  }
}
