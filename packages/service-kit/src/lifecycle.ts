import { TopicIoError } from '@runlog/topic-io/topic-io';
import type { PinoLogger } from './logger.ts';
import { ConfigError, describeConfigError } from './read-config.ts';
import { flushStandardOutputs, standardOutput, standUnreadStreams } from './standard-streams.ts';

/** The longest drain after SIGTERM. Then the process ends by force, so that an orchestrator never has to kill it. */
const DRAIN_MS_MAX = 25_000;

/** The longest that a stop waits for a service that is still starting. */
const START_MS_MAX = 5_000;

/** Under npm one Ctrl-C arrives twice, from the terminal and from npm. Within this time the two count as one. */
const SAME_SIGNAL_MS = 1_000;

/** How long the last lines wait for a slow reader of the log. */
const LAST_LINES_MS = 1_000;

/** A started service, with its addresses for the ready line; disposing of it stops it. */
export interface Running extends AsyncDisposable {
  readonly addresses: Readonly<Record<string, string>>;
  /**
   * Resolves when the service can do its work, which is when the ready line is due. It never resolves if the service
   * stops before that.
   */
  readonly ready: Promise<void>;
}

/** A failed start whose message tells a person the reason and what to do. */
export class StartError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StartError';
  }
}

export interface ServiceContext {
  /** Is called with a broken invariant. Logs it once and stops the process with exit code 1. */
  readonly fail: (error: unknown) => void;
}

/**
 * Runs a service as a process: it starts it and prints one ready line on stdout. On SIGTERM or SIGINT it drains and
 * exits with 0 within 25 s; a second signal exits at once. On a configuration fault it lists every fault on stderr and
 * exits with 2.
 */
export async function runProcess(
  logger: () => PinoLogger,
  start: (context: ServiceContext) => Promise<Running>,
  options: {
    /** Says that the service is ready in another way than by the line: a worker tells the process that began it. */
    onReady?: (addresses: Running['addresses']) => void;
  } = {},
): Promise<void> {
  standUnreadStreams();
  let started: (running: Running | null) => void = () => {};
  const starting = new Promise<Running | null>((resolve) => {
    started = resolve;
  });
  let exitCode: number | null = null;
  let stoppingSinceMs = 0;
  const stop = (reason: string, wanted: 0 | 1) => {
    if (exitCode !== null) {
      exitCode = Math.max(exitCode, wanted);
      if (wanted === 0 && performance.now() - stoppingSinceMs > SAME_SIGNAL_MS) process.exit(1);
      return;
    }
    exitCode = wanted;
    stoppingSinceMs = performance.now();
    logger().info({ reason }, 'stopping');
    setTimeout(() => {
      logger().error({ drainMsMax: DRAIN_MS_MAX }, 'drain took too long; ending by force');
      process.exit(1);
    }, DRAIN_MS_MAX).unref();
    // A service that is still starting is stopped once it has started, so that nothing is left half open in the log.
    setTimeout(() => started(null), START_MS_MAX).unref();
    void starting
      .then((running) => running?.[Symbol.asyncDispose]())
      .then(
        () => logger().info({}, 'stopped'),
        (error: unknown) => {
          logger().error({ err: error }, 'stopping failed');
          exitCode = 1;
        },
      )
      .then(() => flushStandardOutputs(LAST_LINES_MS))
      .then(() => process.exit(exitCode ?? 1));
  };
  let isReady = false;
  const fail = (error: unknown) => {
    // Nothing has worked yet, and the message says what to do: that is a start that is refused.
    if (!isReady && error instanceof TopicIoError) explainStart(error);
    else logger().fatal({ err: error }, 'a fault that cannot be survived');
    stop('fault', 1);
  };
  process.on('SIGTERM', () => stop('SIGTERM', 0));
  process.on('SIGINT', () => stop('SIGINT', 0));
  process.on('unhandledRejection', fail);
  process.on('uncaughtException', fail);
  try {
    const running = await start({ fail });
    started(running);
    await running.ready;
    isReady = true;
    if (exitCode !== null) return;
    if (options.onReady !== undefined) options.onReady(running.addresses);
    // Programs wait for this line, so it is printed at every log level.
    else logger().child({}, { level: 'info' }).info(running.addresses, 'ready');
  } catch (error) {
    explainStart(error);
    await flushStandardOutputs(LAST_LINES_MS);
    process.exit(error instanceof ConfigError ? 2 : 1);
  }
}

function sayAtStart(text: string): void {
  standardOutput('stderr').write(text);
}

/** Tells a person why the start failed. There is no stack if the message says what to do. */
function explainStart(error: unknown): void {
  if (error instanceof ConfigError) {
    sayAtStart(describeConfigError(error));
  } else if (error instanceof TopicIoError || error instanceof StartError) {
    sayAtStart(`cannot start: ${error.message}\n`);
  } else if (isPortTaken(error)) {
    sayAtStart(
      `cannot start: ${error.address}:${error.port} is in use; end the process that listens there or set another port\n`,
    );
  } else {
    sayAtStart(`cannot start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  }
}

/** Whether `listen` failed because another process, or another service of this one, already listens there. */
export function isPortTaken(error: unknown): error is Error & { address: string; port: number } {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}
