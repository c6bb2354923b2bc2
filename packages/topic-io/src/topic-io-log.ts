/** The part of a logger that the engines use; pino's has this shape. */
export interface TopicIoLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
