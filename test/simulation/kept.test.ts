import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runHistory } from './history.ts';
import type { Plan } from './plan.ts';

/**
 * The number of seeds, each of which gives other delays and ties for the same plan. A history that once failed fails
 * under many of them.
 */
const SEEDS = 40;

const folder = new URL('./kept/', import.meta.url);

// These are shrunk histories of bugs that were found, each named after what broke.
describe('a history that once failed holds now', () => {
  for (const file of readdirSync(folder)) {
    it(file.replace('.json', '').replaceAll('-', ' '), async () => {
      const plan = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Plan;
      for (let other = 0; other <= SEEDS; other += 1) {
        const seed = other === 0 ? plan.seed : other;
        const { failure } = await runHistory({ ...plan, seed });
        expect({ seed, failure }).toEqual({ seed, failure: null });
      }
    });
  }
});
