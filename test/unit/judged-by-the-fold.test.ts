import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { eventSchemas } from '@runlog/schema/events/event-schemas';
import type { EventType } from '@runlog/schema/events/event-type';
import { eventTypes, unknownEventType } from '@runlog/schema/events/event-types';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
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
  expect(schemas).toEqual(golden('judged', schemas));
});

/**
 * A row is part of the fold too: its class decides on the milestones, the other columns on the state and the figures.
 * A type without a row is folded by `unknownEventType`, so a new row that differs from it in these needs a new
 * `FOLD_VERSION`; how the page draws it is free. What the functions do is held by test/unit/event-types.test.ts.
 */
it('folds types by the rows of its version', () => {
  const columns = ({ page, scope, status, entry, told, valuesFirst, effect, figures }: EventType) => ({
    class: page.class,
    ...{ scope, status, told, valuesFirst },
    figures:
      typeof figures === 'object' && figures !== null
        ? { ...figures, unless: figures.unless !== undefined }
        : figures,
    ...{ entry: entry !== null, effect: effect !== null },
  });
  const unknown = JSON.stringify(columns(unknownEventType));
  const rows = Object.fromEntries(
    Object.entries(eventTypes)
      .map(([type, row]) => [type, columns(row)] as const)
      .filter(([, row]) => JSON.stringify(row) !== unknown),
  );
  expect(rows).toEqual(golden('event-types', rows));
});

function golden(name: string, now: unknown): unknown {
  const file = new URL(`../fixtures/golden/${name}.fold-${FOLD_VERSION}.json`, import.meta.url);
  if (!existsSync(file) && process.env.UPDATE_GOLDEN === '1') {
    writeFileSync(file, `${JSON.stringify(now, null, 1)}\n`);
  }
  return JSON.parse(readFileSync(file, 'utf8'));
}
