import { z } from 'zod';
import { documentedClientFrames } from '../stream/client-frames.ts';
import { closeCodes } from '../stream/close-codes.ts';
import { serverFrameSchemas } from '../stream/server-frames.ts';
import { STREAM_PATH, STREAM_SUBPROTOCOL } from '../stream/subprotocol.ts';
import { API_VERSION } from './openapi.ts';

/** AsyncAPI 3.0 of `WS /v1/stream`. */
export const streamAsyncApi = {
  asyncapi: '3.0.0',
  info: {
    title: 'runlog stream',
    version: API_VERSION,
    description:
      `Subprotocol ${STREAM_SUBPROTOCOL}. JSON objects, one a message or several separated by newlines. Close codes: ` +
      Object.entries(closeCodes)
        .map(
          ([reason, { close, reconnect }]) => `${close} ${reason}${reconnect ? '' : ' (do not reconnect)'}`,
        )
        .join(', '),
  },
  channels: {
    stream: {
      address: STREAM_PATH,
      messages: {
        client: { $ref: '#/components/messages/client' },
        ...Object.fromEntries(
          Object.keys(serverFrameSchemas).map((name) => [name, { $ref: `#/components/messages/${name}` }]),
        ),
      },
    },
  },
  operations: {
    receive: {
      action: 'receive',
      channel: { $ref: '#/channels/stream' },
      messages: [{ $ref: '#/channels/stream/messages/client' }],
    },
    send: {
      action: 'send',
      channel: { $ref: '#/channels/stream' },
      messages: Object.keys(serverFrameSchemas).map((name) => ({
        $ref: `#/channels/stream/messages/${name}`,
      })),
    },
  },
  components: {
    messages: {
      client: {
        name: 'client',
        payload: z.toJSONSchema(z.union(Object.values(documentedClientFrames)), { io: 'input' }),
      },
      ...Object.fromEntries(
        Object.entries(serverFrameSchemas).map(([name, schema]) => [
          name,
          // The schema describes the input side, so that a reader of the document accepts fields that a newer gateway
          // adds.
          { name, payload: z.toJSONSchema(schema, { io: 'input' }) },
        ]),
      ),
    },
  },
} as const;
