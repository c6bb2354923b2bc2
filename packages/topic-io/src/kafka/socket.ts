import { connect, type Socket } from 'node:net';
import createSocketFactory, { type SocketFactory } from 'kafkajs/src/network/socketFactory.js';
import { KafkaFrames } from './frames.ts';

/** As kafkajs has it. */
const KEEP_ALIVE_DELAY_MS = 60_000;

/**
 * Sockets for kafkajs that give it one frame at a time, read where it stays. Its own get the 64 KiB pieces that Node
 * allocates for every read, and join them: each byte of a fetch then lies in memory twice. TLS has no such reading;
 * there kafkajs's own sockets serve.
 *
 * kafkajs adds a listener to a dead socket each time it disconnects it again, once a failed request; and a connection
 * that was asked for before the session closed comes after that, when nobody is left to end it.
 */
export function socketFactory(closing: AbortSignal): SocketFactory {
  const createOther = createSocketFactory();
  return (options) => {
    const socket = options.ssl ? createOther(options) : framedSocket(options);
    socket.setMaxListeners(0);
    if (closing.aborted) socket.destroy(new Error('closed'));
    return socket;
  };
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
