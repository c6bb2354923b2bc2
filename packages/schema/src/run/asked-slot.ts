import { z } from 'zod';
import { METADATA_CHARS_MAX } from '../limits.ts';

/**
 * A slot that a filter asks for, as the metadata or the values of an entry show it. A query separates slots with commas, so
 * one that has a comma cannot be asked for, in a subscription neither: the history must be able to say what it left out.
 */
export const askedSlotSchema = z
  .string()
  .min(1)
  .max(METADATA_CHARS_MAX)
  .regex(/^[^,]*$/, 'a slot with a comma cannot be asked for');
