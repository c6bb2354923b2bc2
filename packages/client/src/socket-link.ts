import type { ClientFrame } from '@runlog/schema/stream/client-frames';
import { ABNORMAL_CLOSE, NORMAL_CLOSE } from '@runlog/schema/stream/close-codes';
import type { ServerFrameFields } from '@runlog/schema/stream/server-frames';
import { readFrame } from './read-frame.ts';

/** The part of a browser's WebSocket that is needed. The `ws` package has it too. */
export interface SocketLike {
  /** 1 while it is open. What is sent to one that closes is lost, and a browser complains. */
  readonly readyState?: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void;
}

export type SocketConstructor = new (url: string, protocols: string[]) => SocketLike;

/** How long after a missing heartbeat a connection is considered dead. */
const GRACE_MS = 10_000;
const HELLO_MS_MAX = 10_000;
const CHECK_MS = 1_000;
const OPEN = 1;
const CLOSE_AFTER_ERROR_MS_MAX = 100;

/**
 * One connection of the stream. It gives frames as objects, calls `onClose` exactly once, and ends if the server is
 * silent or sends what no server of this protocol sends.
 */
export interface Link {
  send(frame: ClientFrame): void;
  /** Expects to hear from the server at least once in this time, and otherwise considers the connection dead. */
  expectEvery(intervalMs: number): void;
  close(): void;
}

export function connect(options: {
  url: string;
  protocol: string;
  webSocket: SocketConstructor | undefined;
  onOpen: () => void;
  /** If it throws, the connection ends as a broken one. */
  onFrame: (frame: ServerFrameFields) => void;
  /** Is told once a second for how long the server has been silent. */
  onSilence?: (silentMs: number) => void;
  onClose: (close: { code: number; reason: string }) => void;
}): Link {
  const Socket = options.webSocket ?? (globalThis.WebSocket as SocketConstructor | undefined);
  if (Socket === undefined) throw new Error('there is no global WebSocket here: pass one as `webSocket`');
  const socket = new Socket(options.url, [options.protocol]);
  let silentMsMax = HELLO_MS_MAX;
  let silentMs = 0;
  let isOver = false;

  const over = (close: { code: number; reason: string }) => {
    if (isOver) return;
    isOver = true;
    clearInterval(timer);
    options.onClose(close);
  };
  // The timer counts the seconds of silence itself. No clock is read, so a machine that slept gives up late, but it
  // does give up.
  const timer = setInterval(() => {
    silentMs += CHECK_MS;
    options.onSilence?.(silentMs);
    if (silentMs < silentMsMax || isOver) return;
    socket.close();
    over({ code: ABNORMAL_CLOSE, reason: 'the server fell silent' });
  }, CHECK_MS);

  socket.addEventListener('open', () => {
    if (!isOver) options.onOpen();
  });
  socket.addEventListener('message', ({ data }) => {
    if (isOver || typeof data !== 'string') return;
    silentMs = 0;
    for (const line of data.split('\n')) {
      if (line === '' || isOver) continue;
      try {
        options.onFrame(readFrame(JSON.parse(line)));
      } catch (error) {
        socket.close();
        over({ code: ABNORMAL_CLOSE, reason: `a frame could not be read: ${String(error)}` });
      }
    }
  });
  socket.addEventListener('close', ({ code, reason }) => over({ code, reason: String(reason) }));
  // Nearly every error is followed by a close, which says more. The WebSocket of Node 22 leaves it out.
  socket.addEventListener('error', () => {
    setTimeout(
      () => over({ code: ABNORMAL_CLOSE, reason: 'the connection failed' }),
      CLOSE_AFTER_ERROR_MS_MAX,
    );
  });

  return {
    send(frame) {
      if (!isOver && (socket.readyState ?? OPEN) === OPEN) socket.send(JSON.stringify(frame));
    },
    expectEvery(intervalMs) {
      silentMsMax = intervalMs + GRACE_MS;
    },
    close() {
      socket.close(NORMAL_CLOSE);
      over({ code: NORMAL_CLOSE, reason: '' });
    },
  };
}
