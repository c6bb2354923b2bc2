/** Logging as this package needs it; pino's logger fits. Constant messages, fields beside them. */
export interface FeedLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
