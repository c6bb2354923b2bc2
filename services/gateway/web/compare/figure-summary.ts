import type { Figure } from '@runlog/schema/run/figures';

/** Which value of a figure is the best one. */
export type Aim = 'highest' | 'lowest' | null;

export interface FigureSummary {
  /** The best value of the whole run, or the greatest one where no value is better than another. */
  readonly best: number | null;
  readonly last: number | null;
}

const lower =
  /(^|[._/ ])(loss|losses|error|errors|err|divergence|kl|perplexity|ppl|mse|mae|rmse|wer|nan|nan_count)($|[._/ ])/i;
const higher =
  /(^|[._/ ])(accuracy|acc|reward|rewards|return|returns|improvement|score|f1|auc|precision|recall|bleu|r2|map|iou)($|[._/ ])/i;

/** Tells the aim of a figure from its name; null where the name does not say it. */
export function aimOf(name: string): Aim {
  if (lower.test(name)) return 'lowest';
  return higher.test(name) ? 'highest' : null;
}

export function summaryOf(figure: Figure): FigureSummary {
  const isLowest = aimOf(figure.name) === 'lowest';
  let best: number | null = null;
  for (const value of isLowest ? figure.min : figure.max) {
    if (value !== null && (best === null || (isLowest ? value < best : value > best))) best = value;
  }
  return { best, last: figure.last.findLast((value) => value !== null) ?? null };
}
