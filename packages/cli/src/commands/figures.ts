import { styleText } from 'node:util';
import { figureName } from '@runlog/run-state/figures/figure-name';
import type { Figure, RunFigures } from '@runlog/schema/run/figures';
import { formatRunKey, type RunKey } from '@runlog/schema/run/run-key';
import { nearestName } from '@runlog/service-kit/nearest-name';
import { printable, printableJson } from '@runlog/service-kit/printable';
import { type Command, CommandError, exitCodes, parseCommandLine, UsageError } from '../command.ts';
import type { Ink } from '../figures/figure-chart.ts';
import { figuresCsv } from '../figures/figures-csv.ts';
import { bucketsText, figuresText, figureText, refusedText } from '../figures/figures-text.ts';
import { gatewayVariables, readClientConfig } from '../services/client-config.ts';
import { type GatewayTarget, getFigures } from '../services/gateway-client.ts';
import { noSuchRun, selectRun } from '../services/run-selection.ts';

const WIDTH_OF_UNKNOWN_TERMINAL = 80;

const options = {
  name: { type: 'string', value: 'NAME', help: 'only this figure: a chart on a terminal, else a table' },
  format: {
    type: 'string',
    value: 'csv|json',
    help: 'csv: a line a bucket (name,bucket,x,t,first,last,min,max,count,attempt); json: as the gateway delivers it',
  },
  url: { type: 'string', value: 'URL', help: 'address of the gateway; overrides RUNLOG_GATEWAY_URL' },
} as const;

export const command: Command = {
  usage: 'RUN [--name NAME] [options]',
  description:
    'Shows the figures of a run over its whole life: every numeric series that its events hold, such as val_accuracy, or with --name one of them as a chart. A figure has at most 192 buckets; a long run has several points in each, of which the first, last, least and greatest value are kept. Times are in UTC. RUN is written as for "runlog show".\nExit code: 0 shown, 1 there is no such run or figure, 3 the gateway cannot be reached.',
  options,
  examples: [
    'runlog figures run-7',
    'runlog figures run-7 --name val_accuracy',
    'runlog figures c1/run-7/A --format csv > figures.csv',
  ],
  environment: gatewayVariables,
  run: async (args, env) => {
    const { values, positionals } = parseCommandLine(args, options, { argumentsMax: 1 });
    const format = formatOf(values.format);
    const target = readClientConfig(env, { gatewayUrl: values.url });
    const key = await selectRun(positionals[0], target);
    const run =
      values.name === undefined
        ? await wholeOf(target, key)
        : await withFigure(target, { key, name: values.name });
    const refused = refusedText(run);
    if (refused !== null) process.stderr.write(`runlog figures: ${refused}\n`);
    if (format === null && run.figures.length === 0) {
      process.stderr.write(`runlog figures: ${formatRunKey(key)} has no figures: no event of it holds one\n`);
      return exitCodes.ok;
    }
    process.stdout.write(outputOf(run, { format, isOne: values.name !== undefined }));
    return exitCodes.ok;
  },
};

type Format = 'csv' | 'json' | null;

function formatOf(text: string | undefined): Format {
  if (text === undefined || text === 'csv' || text === 'json') return text ?? null;
  throw new UsageError(`--format must be csv or json (is "${text}")`);
}

async function wholeOf(target: GatewayTarget, key: RunKey): Promise<RunFigures> {
  const run = await getFigures(target, key);
  if (run === null) throw noSuchRun(key);
  return run;
}

/** Returns the run with one figure only. Explains if it has no such figure. */
async function withFigure(
  target: GatewayTarget,
  { key, name }: { key: RunKey; name: string },
): Promise<RunFigures> {
  // A long name is kept in a short form.
  const kept = figureName(name);
  const only = (run: RunFigures): RunFigures | null => {
    const figures = run.figures.filter((figure) => figure.name === kept);
    return figures.length === 0 ? null : { ...run, figures };
  };
  // The parameter takes several names with commas between them, so it cannot ask for every name.
  const canAsk = kept !== '' && !kept.includes(',');
  const asked = canAsk ? await getFigures(target, key, { name: kept }) : null;
  const found = asked === null ? null : only(asked);
  if (found !== null) return found;
  const whole = await wholeOf(target, key);
  const run = only(whole);
  if (run === null) throw new CommandError(noSuchFigure(whole, name), exitCodes.failed);
  return run;
}

function noSuchFigure(run: RunFigures, name: string): string {
  const key = formatRunKey(run);
  const kept = figureName(name);
  if (run.refused.includes(kept))
    return `nothing of the figure "${printable(name)}" of ${key} is kept: ${refusedText(run)}`;
  const absent = `${key} has no figure "${printable(name)}"`;
  const names = run.figures.map((figure) => figure.name);
  if (names.length === 0) return `${absent}, and no other`;
  const nearest = nearestName(kept, names);
  const hint = nearest === null ? '' : ` Did you mean "${printable(nearest)}"?`;
  return `${absent}.${hint}\nIt has: ${names.map(printable).join(', ')}`;
}

function outputOf(run: RunFigures, { format, isOne }: { format: Format; isOne: boolean }): string {
  const { figures } = run;
  const isTerminal = process.stdout.isTTY === true;
  switch (format) {
    case 'json':
      return `${printableJson(JSON.stringify(run))}\n`;
    case 'csv':
      return figuresCsv(isTerminal ? figures.map(withPrintableName) : figures);
    case null: {
      const width = isTerminal ? process.stdout.columns || WIDTH_OF_UNKNOWN_TERMINAL : null;
      if (!isOne) return `${figuresText(figures, { width })}\n`;
      const figure = figures[0]!;
      if (width === null) return `${bucketsText(figure)}\n`;
      return `${figureText(run, { figure, width, paint })}\n`;
    }
    default: {
      const unreachable: never = format;
      throw new Error(`unknown format ${String(unreachable)}`);
    }
  }
}

function withPrintableName(figure: Figure): Figure {
  return { ...figure, name: printable(figure.name) };
}

const INK_STYLES = { line: 'cyan', mark: 'yellow', axis: 'dim' } as const;

/** Colours text, unless the terminal or NO_COLOR says no. */
function paint(ink: Ink, text: string): string {
  return styleText(INK_STYLES[ink], text, { stream: process.stdout });
}
