import type { Command } from './command.ts';

const WIDTH_MAX = 100;

/** Formats the page of `runlog help`. */
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

/** Formats the page of `runlog COMMAND --help`. */
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

/** Formats two aligned columns and wraps the second one. */
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
