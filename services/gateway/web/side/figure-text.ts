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

/** Figures whose values are percentages already, and those that are parts of one. */
const percentages: ReadonlySet<string> = new Set(['accuracy', 'val_accuracy', 'rolling_accuracy']);
const parts: ReadonlySet<string> = new Set(['clip_fraction']);

/** Returns a value as the page writes it: `84.8%`, `15%`, `0.73`, `1,234`, `1.2e+9`; `–` where there is none. */
export function figureValueText(name: string, value: number | null): string {
  if (value === null || Number.isNaN(value)) return '–';
  if (percentages.has(name)) return `${value.toFixed(1)}%`;
  if (parts.has(name)) return `${Math.round(value * 100)}%`;
  const size = Math.abs(value);
  if (size >= 1e7 || (size > 0 && size < 1e-4)) return value.toExponential(1);
  if (size >= 1_000) return Math.round(value).toLocaleString('en');
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  if (size >= 0.1 || size === 0) return value.toFixed(2);
  return value.toFixed(size >= 0.001 ? 3 : 4);
}
