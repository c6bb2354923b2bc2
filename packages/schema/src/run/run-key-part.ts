import { z } from 'zod';
import { RUN_KEY_PART_PATTERN } from './run-key.ts';

/** One part of a run key. The keys themselves need no library of schemas, which a page would load (run-key.ts). */
export const runKeyPart = z
  .string()
  .regex(
    new RegExp(RUN_KEY_PART_PATTERN),
    'must be 1 to 64 characters of A-Z a-z 0-9 . _ - and begin with a letter or digit',
  );
