import { connect, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { SocketFactory } from 'kafkajs/src/network/socketFactory.js';
import { KafkaFrames } from './frames.ts';

/** The same value as in kafkajs. */
const KEEP_ALIVE_DELAY_MS = 60_000;

/**
 * Makes sockets for kafkajs that give it one whole frame at a time, read straight into its own buffer. kafkajs's own
 * sockets get the 64 KiB pieces that Node allocates for every read, and join them, so that each byte of a fetch is in
 * memory twice. TLS sockets cannot read into a buffer of ours, so kafkajs's own are used there.
 *
 * The number of listeners is unlimited, because kafkajs adds one to a dead socket each time that it disconnects it
 * again, once per failed request. A socket that is made after the session closed is destroyed at once: its connection
 * was asked for before that, and nobody is left to end it.
 */
export function socketFactory(
  closing: AbortSignal,
  tlsOptions: (() => ConnectionOptions) | null = null,
): SocketFactory {
  return (options) => {
    const socket = tlsOptions === null ? framedSocket(options) : tlsSocket(options, tlsOptions());
    socket.setMaxListeners(0);
    if (closing.aborted) socket.destroy(new Error('closed'));
    return socket;
  };
}

function tlsSocket(
  { host, port, onConnect }: Parameters<SocketFactory>[0],
  options: ConnectionOptions,
): Socket {
  // A certificate is checked against the name that is asked for, or against the address if there is none.
  const servername = options.servername ?? (isIP(host) === 0 ? host : undefined);
  const socket = connectTls({ ...options, host, port, ...(servername && { servername }) }, onConnect);
  return socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
}

function framedSocket({ host, port, onConnect }: Parameters<SocketFactory>[0]): Socket {
  const frames = new KafkaFrames((frame) => void socket.emit('data', frame));
  const socket = connect(
    {
      host,
      port,
      onread: {
        buffer: () => frames.target,
        callback: (bytes) => {
          try {
            frames.took(bytes);
          } catch (error) {
            socket.destroy(error as Error);
          }
          return true;
        },
      },
    },
    onConnect,
  );
  return socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
}
