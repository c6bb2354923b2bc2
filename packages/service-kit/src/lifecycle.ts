import { TopicIoError } from '@runlog/topic-io/topic-io';
import type { Logger } from './logger.ts';
import { ConfigError, describeConfigError } from './read-config.ts';

/** Longest drain after SIGTERM; then the process ends by force, so that an orchestrator never has to. */
const DRAIN_MS_MAX = 25_000;

/** A started service: its addresses for the ready line, and how to stop it. */
export interface Running extends AsyncDisposable {
  readonly addresses: Readonly<Record<string, string>>;
}

/** A start that failed for a reason that the message explains to a person, and says what to do. */
export class StartError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StartError';
  }
}

export interface ServiceContext {
  /** A broken invariant anywhere: logs it once and stops the process with exit code 1. */
  readonly fail: (error: unknown) => void;
}

/**
 * Runs a service as a process: start, one ready line on stdout, drain on SIGTERM or SIGINT and exit 0 within 25 s; a
 * second signal exits at once. A configuration fault exits 2 and lists every fault on stderr.
 */
export async function runProcess(
  log: () => Logger,
  start: (context: ServiceContext) => Promise<Running>,
): Promise<void> {
  let stopping = false;
  let running: Running | null = null;
  const stop = (reason: string, exitCode: number) => {
    if (stopping) {
      if (exitCode === 0) process.exit(1);
      return;
    }
    stopping = true;
    log().info({ reason }, 'stopping');
    const timer = setTimeout(() => {
      log().error({ drainMsMax: DRAIN_MS_MAX }, 'drain took too long; ending by force');
      process.exit(1);
    }, DRAIN_MS_MAX);
    timer.unref();
    void Promise.resolve(running?.[Symbol.asyncDispose]())
      .then(() => log().info({}, 'stopped'))
      .catch((error: unknown) => {
        log().error({ err: error }, 'stopping failed');
        return 1;
      })
      .then((failed) => process.exit(failed ?? exitCode));
  };
  const fail = (error: unknown) => {
    log().fatal({ err: error }, 'a fault that cannot be survived');
    stop('fault', 1);
  };
  process.on('SIGTERM', () => stop('SIGTERM', 0));
  process.on('SIGINT', () => stop('SIGINT', 0));
  process.on('unhandledRejection', fail);
  process.on('uncaughtException', fail);
  try {
    running = await start({ fail });
    if (stopping) await running[Symbol.asyncDispose]();
    else log().info(running.addresses, 'ready');
  } catch (error) {
    explainStart(error);
    process.exit(error instanceof ConfigError ? 2 : 1);
  }
}

/** What went wrong at the start, for a person: without a stack where the message says what to do. */
function explainStart(error: unknown): void {
  if (error instanceof ConfigError) {
    process.stderr.write(describeConfigError(error));
  } else if (error instanceof TopicIoError || error instanceof StartError) {
    process.stderr.write(`cannot start: ${error.message}\n`);
  } else if (isPortTaken(error)) {
    process.stderr.write(
      `cannot start: ${error.address}:${error.port} is in use; end the process that listens there or set another port\n`,
    );
  } else {
    process.stderr.write(
      `cannot start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
  }
}

/** Of `listen` where another process, or another service of this one, already listens. */
export function isPortTaken(error: unknown): error is Error & { address: string; port: number } {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}
