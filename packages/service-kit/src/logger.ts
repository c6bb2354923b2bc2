import { destination, type LoggerOptions, type Logger as PinoLogger, pino } from 'pino';
import { errorFields } from './error-fields.ts';
import { terminalLine } from './terminal-line.ts';

/** Has more than `Logger` of topic-io: Fastify and the life of a process use its `fatal` and its children. */
export type { Logger as PinoLogger } from 'pino';

/**
 * Makes a logger that writes JSON lines to stdout, or lines for people if stdout is a terminal. Commands, whose stdout
 * is their result, log JSON to stderr. Every field that could carry a key or a password is removed here, whoever logs
 * it.
 */
export function createLogger(options: {
  service: string;
  level: string;
  destination?: 'stdout' | 'stderr';
  /** The number of this process among several of one service. */
  worker?: number | undefined;
}): PinoLogger {
  const settings: LoggerOptions = {
    level: options.level,
    base: {
      service: options.service,
      pid: process.pid,
      ...(options.worker === undefined ? {} : { worker: options.worker }),
    },
    serializers: { err: errorFields },
    redact: {
      paths: [
        'password',
        '*.password',
        'sasl',
        '*.sasl',
        'authorization',
        '*.authorization',
        'headers.authorization',
        'req.headers.authorization',
      ],
      remove: true,
    },
  };
  if (options.destination === 'stderr') return pino(settings, destination({ fd: 2, sync: true }));
  return process.stdout.isTTY ? pino(settings, terminal) : pino(settings);
}

const terminal = {
  write(json: string): void {
    process.stdout.write(terminalLine(json));
  },
};
