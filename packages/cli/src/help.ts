import type { Command } from './command.ts';

const WIDTH_MAX = 100;

/** The page of `runlog help`. */
export function overview(commands: readonly { name: string; summary: string }[], version: string): string {
  return [
    `runlog ${version}: live, event-sourced telemetry for training runs`,
    '',
    'Usage: runlog COMMAND [arguments]',
    '',
    'Commands:',
    ...columns(commands.map(({ name, summary }) => [name, summary] as const)),
    '',
    'runlog COMMAND --help explains one command; runlog --version prints the version.',
    '',
    'First steps:',
    '  runlog up                start everything on this machine',
    '  runlog simulate          feed it with believable training runs (in another terminal)',
    '  runlog runs              see them here, or open the address that "up" printed',
    '',
  ].join('\n');
}

/** The page of `runlog COMMAND --help`. */
export function commandHelp(entry: { name: string; summary: string; command: Command }): string {
  const { name, summary, command } = entry;
  const options = Object.entries(command.options).map(
    ([long, option]) =>
      [
        `${option.short === undefined ? '' : `-${option.short}, `}--${long}${option.value === undefined ? '' : ` ${option.value}`}`,
        option.help,
      ] as const,
  );
  return [
    `runlog ${name}: ${summary}`,
    '',
    `Usage: runlog ${name}${command.usage === '' ? '' : ` ${command.usage}`}`,
    '',
    ...wrapped(command.description, WIDTH_MAX),
    ...section('Options:', columns([...options, ['-h, --help', 'this page'] as const])),
    ...section(
      'Examples:',
      command.examples.map((example) => `  ${example}`),
    ),
    ...section('Environment:', columns(command.environment)),
    '',
  ].join('\n');
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines];
}

/** Two aligned columns, the second wrapped. */
function columns(rows: readonly (readonly [left: string, right: string])[]): string[] {
  const left = Math.min(32, Math.max(0, ...rows.map(([name]) => name.length)));
  return rows.flatMap(([name, text]) => {
    const lines = wrapped(text, WIDTH_MAX - left - 4);
    const [first = '', ...rest] = lines;
    const indent = ' '.repeat(left + 4);
    return name.length > left
      ? [`  ${name}`, ...lines.map((line) => `${indent}${line}`)]
      : [`  ${name.padEnd(left)}  ${first}`, ...rest.map((line) => `${indent}${line}`)];
  });
}

function wrapped(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === '' ? word : `${line} ${word}`;
      }
    }
    return [...lines, line];
  });
}

/** The known name nearest to a mistyped one; `null` when none is near enough to be meant. */
export function nearestName(name: string, known: readonly string[]): string | null {
  const nearest = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate) }))
    .sort((a, b) => a.distance - b.distance)[0];
  if (nearest === undefined) return null;
  const isPrefix = name.length >= 2 && nearest.candidate.startsWith(name.toLowerCase());
  return isPrefix || nearest.distance <= Math.max(1, Math.floor(nearest.candidate.length / 3))
    ? nearest.candidate
    : (known.find((candidate) => name.length >= 2 && candidate.startsWith(name.toLowerCase())) ?? null);
}

/** Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other. */
function editDistance(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1];
      let best = Math.min(
        rows[row - 1]![column]! + 1,
        current[column - 1]! + 1,
        rows[row - 1]![column - 1]! + (same ? 0 : 1),
      );
      const swapped =
        row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) best = Math.min(best, rows[row - 2]![column - 2]! + 1);
      current.push(best);
    }
    rows.push(current);
  }
  return rows[from.length]![to.length]!;
}
