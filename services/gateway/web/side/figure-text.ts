import { figureText, percentText, rateText, shareText } from '../text/numbers.ts';

/** The name of the series that is made of the run's events, and not of its figures. */
export const EVENT_RATE = 'events/s';

/** The names of figures that are said otherwise. */
const labels: Readonly<Record<string, string>> = {
  val_accuracy: 'accuracy (validation)',
  val_loss: 'loss (validation)',
  rolling_accuracy: 'accuracy (rolling)',
  clip_fraction: 'clip fraction',
  kl_divergence: 'KL',
  policy_loss: 'policy loss',
  value_loss: 'value loss',
  grad_norm: 'gradient norm',
  total_reward: 'reward of an epoch',
};

export function figureLabel(name: string): string {
  return Object.hasOwn(labels, name) ? labels[name]! : name;
}

const texts: Readonly<Record<string, (value: number | null) => string>> = {
  accuracy: percentText,
  val_accuracy: percentText,
  rolling_accuracy: percentText,
  clip_fraction: shareText,
  [EVENT_RATE]: rateText,
};

/** Returns a value as the page writes it, with the unit that its figure has. */
export function figureValueText(name: string, value: number | null): string {
  return (Object.hasOwn(texts, name) ? texts[name]! : figureText)(value);
}
