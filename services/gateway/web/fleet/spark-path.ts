/**
 * Returns an SVG path through the values from left to right, within a box whose edges the line's own width keeps clear of. The
 * least value is at the bottom and the greatest at the top; if all are alike, the line is in the middle. One value is a short
 * line. Empty if there is no value.
 */
export function sparkPath(
  values: readonly number[],
  { width, height, line }: { width: number; height: number; line: number },
): string {
  if (values.length === 0) return '';
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const inner = height - line;
  // The difference of two doubles may be none itself, but that of their halves always is.
  const part = (value: number) => (high === low ? 0.5 : (value / 2 - low / 2) / (high / 2 - low / 2));
  const y = (value: number) => rounded(line / 2 + inner * (1 - part(value)));
  if (values.length === 1) return `M0 ${y(values[0]!)}h${rounded(width / 8)}`;
  const step = width / (values.length - 1);
  return values.map((value, at) => `${at === 0 ? 'M' : 'L'}${rounded(at * step)} ${y(value)}`).join('');
}

function rounded(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
