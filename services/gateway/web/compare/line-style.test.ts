import { expect, it } from 'vitest';
import { lineStyleOf } from './line-style.ts';

it('fifty runs have a line of their own each, eight of them without dashes', () => {
  const styles = Array.from({ length: 50 }, (_, place) => lineStyleOf(place));
  expect(new Set(styles.map((style) => JSON.stringify(style))).size).toBe(50);
  expect(styles.filter(({ dash }) => dash.length === 0)).toHaveLength(8);
});
