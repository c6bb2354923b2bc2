import { type LoggerOptions, type Logger as PinoLogger, pino } from 'pino';
import { errorFields } from './error-fields.ts';
import { isTerminal, standardOutput } from './standard-streams.ts';
import { terminalLine } from './terminal-line.ts';

/** Has more than `Logger` of topic-io: Fastify and the life of a process use its `fatal` and its children. */
export type { Logger as PinoLogger } from 'pino';

/**
 * Makes a logger that writes JSON lines to stdout, or lines for people if stdout is a terminal. Commands, whose stdout
 * is their result, log JSON to stderr. No line is waited for (`LogOutput`). Every field that could carry a key or a password is removed here, whoever logs
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
  const name = options.destination ?? 'stdout';
  const output = standardOutput(name);
  const isForPeople = name === 'stdout' && isTerminal(name);
  return pino(settings, {
    write: (json: string) => output.write(isForPeople ? terminalLine(json) : json),
  });
}
