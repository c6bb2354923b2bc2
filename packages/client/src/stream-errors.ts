/** The server will not stream this channel. An iterable of it rejects with this. */
export class ChannelRefusedError extends Error {
  override readonly name = 'ChannelRefusedError';
  /** The code of the protocol, such as `forbidden`. */
  readonly code: string;

  constructor(refusal: { code: string; message: string }) {
    super(refusal.message);
    this.code = refusal.code;
  }
}

/** The server refused the connection for good: the client has stopped. Iterables reject with this. */
export class StreamStoppedError extends Error {
  override readonly name = 'StreamStoppedError';
  /** The code of the close, such as that of an unknown key. */
  readonly code: number;

  constructor(close: { code: number; reason: string }) {
    super(close.reason === '' ? `the stream was closed with ${close.code}` : close.reason);
    this.code = close.code;
  }
}
