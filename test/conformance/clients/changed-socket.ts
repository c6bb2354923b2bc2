import type { SocketConstructor, SocketLike } from '@runlog/client/socket-link';

type Fields = Record<string, unknown>;

/** What a wrong client changes of its connection. What is absent stays as it is. */
export interface SocketChanges {
  readonly read?: (text: string) => string;
  readonly hear?: (frame: Fields) => Fields | null;
  readonly send?: (frame: Fields) => readonly Fields[];
  readonly close?: (code: number) => number;
}

/** Returns a constructor of sockets between which and the client everything is changed. */
export function changedSocket(Inner: SocketConstructor, changes: SocketChanges): SocketConstructor {
  const {
    read = (text) => text,
    hear = (frame) => frame,
    send = (frame) => [frame],
    close = (code) => code,
  } = changes;
  const heard = (message: string): string =>
    read(message)
      .split('\n')
      .map((line) => hear(JSON.parse(line) as Fields))
      .filter((frame) => frame !== null)
      .map((frame) => JSON.stringify(frame))
      .join('\n');
  /** Returns null if nothing is left of a message. */
  const changedEvent = (type: string, event: Fields): Fields | null => {
    if (type === 'close') return { code: close(event.code as number), reason: event.reason };
    if (type !== 'message') return event;
    const data = heard(event.data as string);
    return data === '' ? null : { data };
  };
  class ChangedSocket implements SocketLike {
    readonly #inner: SocketLike;

    constructor(url: string, protocols: string[]) {
      this.#inner = new Inner(url, protocols);
    }

    send(text: string): void {
      for (const frame of send(JSON.parse(text) as Fields)) this.#inner.send(JSON.stringify(frame));
    }

    close(code?: number, reason?: string): void {
      this.#inner.close(code, reason);
    }

    addEventListener(type: string, listener: (event: never) => void): void {
      this.#inner.addEventListener(type as 'message', (event) => {
        const changed = changedEvent(type, event as Fields);
        if (changed !== null) listener(changed as never);
      });
    }
  }
  return ChangedSocket;
}
