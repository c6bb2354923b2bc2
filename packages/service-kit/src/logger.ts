import { destination, type Logger, type LoggerOptions, pino } from 'pino';

export type { Logger } from 'pino';

/** JSON lines on stdout (commands, whose stdout is their result: on stderr). Whatever could carry a key or a password is removed here, whoever logs it. */
export function createLogger(options: {
  service: string;
  level: string;
  destination?: 'stdout' | 'stderr';
}): Logger {
  const settings: LoggerOptions = {
    level: options.level,
    base: { service: options.service, pid: process.pid },
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
  return options.destination === 'stderr'
    ? pino(settings, destination({ fd: 2, sync: true }))
    : pino(settings);
}
