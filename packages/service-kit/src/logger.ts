import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** JSON lines on stdout. Whatever could carry a key or a password is removed here, whoever logs it. */
export function createLogger(options: { service: string; level: string }): Logger {
  return pino({
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
  });
}
