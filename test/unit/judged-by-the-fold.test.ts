import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { FOLD_VERSION } from '@runlog/run-state/evolve';
import { eventSchemas } from '@runlog/schema/events/event-schemas';
import { expect, it } from 'vitest';
import { z } from 'zod';

/**
 * The fold folds the records that these schemas accept and skips the rest, so the schemas are part of it. With one more
 * type or a stricter field, a newer build could not fold a record that an older build folded, and their states would
 * differ under one `FOLD_VERSION`. Unknown types and fields are accepted, so nothing has to be added for them to be
 * kept and shown. A rule that only ingest needs belongs in ingest. If this test fails, `FOLD_VERSION` must grow
 * (UPDATE_GOLDEN=1 writes the file of a version that has none).
 */
it('judges events by the schemas of its version', () => {
  const plain = (schema: z.ZodType) => z.toJSONSchema(schema, { unrepresentable: 'any' });
  const all = (schemas: Readonly<Record<string, z.ZodType>>) =>
    Object.fromEntries(Object.entries(schemas).map(([type, schema]) => [type, plain(schema)]));
  const { current, older, other } = eventSchemas;
  const schemas = { current: all(current), older: all(older), other: plain(other) };
  const file = new URL(`../fixtures/golden/judged.fold-${FOLD_VERSION}.json`, import.meta.url);
  if (!existsSync(file) && process.env.UPDATE_GOLDEN === '1') {
    writeFileSync(file, `${JSON.stringify(schemas, null, 1)}\n`);
  }
  expect(schemas).toEqual(JSON.parse(readFileSync(file, 'utf8')));
});
