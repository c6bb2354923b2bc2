import type { ComparedRun } from '../../services/gateway/web/compare/comparison.ts';

/** A run of a comparison of which nothing is known yet. */
export function comparedRun(key: string, overrides: Partial<ComparedRun> = {}): ComparedRun {
  return {
    ...{ key, place: 0, snapshot: null, figures: null, failure: null, settings: null },
    ...overrides,
  };
}
