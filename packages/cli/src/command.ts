import { type ParseArgsConfig, parseArgs } from 'node:util';
import { messageOf } from '@runlog/topic-io/error-message';

/** The exit codes, named by their meaning to a script. */
export const exitCodes = {
  ok: 0,
  /** The work was done only in part, or not at all; stderr says which. */
  failed: 1,
  /** The command line or the configuration is wrong; nothing was done. */
  usage: 2,
  /** A service could not be reached, even after retries. */
  unreachable: 3,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** An option as `util.parseArgs` takes it, with its help text. */
export interface CommandOption {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  /** Name of the value in the help, such as `NAME`. */
  readonly value?: string;
  readonly help: string;
}

export interface Command {
  /** Arguments after the command's name. */
  readonly usage: string;
  readonly description: string;
  readonly options: Readonly<Record<string, CommandOption>>;
  readonly examples: readonly string[];
  /** The variables that the command reads, each with its meaning. */
  readonly environment: readonly (readonly [name: string, meaning: string])[];
  /**
   * Whether the command does more than print: it then finishes its work, and says so by its exit code, although nobody reads
   * what it prints any more. Others end quietly with 0.
   */
  readonly worksUnread?: true;
  readonly run: (args: readonly string[], env: Readonly<NodeJS.ProcessEnv>) => Promise<ExitCode>;
}

/** A fault of the command line. It is printed with a pointer to the help; the exit code is 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** A fault that a person can act upon. It is printed without a stack. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

/**
 * Runs `util.parseArgs` with a command's options. Every fault becomes a `UsageError`; so do more than `argumentsMax`
 * positional arguments.
 */
export function parseCommandLine<Options extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: Options,
  { argumentsMax }: { argumentsMax: number } = { argumentsMax: 0 },
) {
  const parsed = parseOptions(args, options);
  const surplus = parsed.positionals[argumentsMax];
  if (surplus !== undefined) throw new UsageError(`unexpected argument "${surplus}"`);
  return parsed;
}

function parseOptions<Options extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: Options,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(messageOf(error).split('. ')[0]!);
  }
}

/** Parses an option as a whole number and checks its range. */
export function wholeNumber(option: {
  name: string;
  text: string | undefined;
  fallback: number;
  min: number;
  max: number;
}): number {
  if (option.text === undefined) return option.fallback;
  const value = /^\d{1,15}$/.test(option.text) ? Number(option.text) : Number.NaN;
  if (value >= option.min && value <= option.max) return value;
  throw new UsageError(
    `--${option.name} must be a whole number from ${option.min} to ${option.max} (is "${option.text}")`,
  );
}
