import type { CloseReason } from '@runlog/schema/stream/close-codes';
import type { EncodedFrame } from '../fan-out/encoded-frame.ts';

/** What an outbox writes into. */
export interface MessageSink {
  /**
   * Appends the bytes of the frame, as they go out, to what waits to be sent. Returns their number. Is called once a frame,
   * in the order in which they are sent.
   */
  pack(frame: EncodedFrame, waiting: Buffer[]): number;
  /** Sends what was packed, in one write if possible. `written` is called when the operating system has taken it. */
  send(packed: readonly Buffer[], written: () => void): void;
  /** The bytes that were handed over and not yet taken by the operating system. */
  readonly bufferedBytes: number;
}

/** The transport of one connection. It knows how frames are written and nothing of what they say. */
export interface Sink extends MessageSink {
  readonly transport: 'websocket' | 'sse';
  /** The address and port of the client, for the logger. */
  readonly peer: string;
  /** The bytes written since the connection was opened, framing included. */
  readonly bytesWritten: number;
  /** Reads nothing more from the client, until `resume`. */
  pause(): void;
  resume(): void;
  /** Asks for a sign of life. Returns false if the clients of this transport give none. */
  ping(): boolean;
  /** Tells the client when to come back after the connection ends, if the transport has a field for that. */
  comeBackAfter(ms: number): void;
  /** Begins to close. What was sent before goes out first, so this lasts for ever if the client does not read. */
  close(reason: CloseReason): void;
  /** Ends the connection at once. */
  cut(): void;
}
