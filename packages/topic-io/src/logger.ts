/**
 * A logger of lines for people and machines. A line has a constant message, and variable parts are fields. pino's
 * loggers have this shape.
 */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
