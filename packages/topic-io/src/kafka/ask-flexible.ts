import type { Broker } from 'kafkajs/src/broker/index.js';
import Decoder from 'kafkajs/src/protocol/decoder.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';

/** What the flexible encoding (KIP-482) has at the end of the head and of every structure. We write none. */
export const NO_TAGGED_FIELDS = 0;

/** A request of the flexible encoding, which kafkajs does not speak. */
export interface FlexibleRequest<Answer> {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly apiName: string;
  /** The fields of the request, without the tagged fields at its end. */
  readonly fields: Encoder;
  /** Reads the answer behind its throttle time, as far as it is of use. */
  readonly read: (answer: Decoder) => Answer;
}

/** Sends it to a broker that has this version. What the broker refuses is in the answer. Use it within `attempt`. */
export async function askFlexible<Answer>(broker: Broker, request: FlexibleRequest<Answer>): Promise<Answer> {
  const { fields, read, ...api } = request;
  const { answer } = await broker.connectionPool.send<{ answer: Answer }>({
    request: {
      ...api,
      encode: async () =>
        new Encoder()
          .writeInt8(NO_TAGGED_FIELDS) // Of the head, which kafkajs writes without.
          .writeEncoder(fields)
          .writeInt8(NO_TAGGED_FIELDS),
    },
    response: {
      decode: async (raw) => {
        const decoder = new Decoder(raw);
        decoder.readTaggedFields(); // Of the head.
        const clientSideThrottleTime = decoder.readInt32();
        return { clientSideThrottleTime, answer: read(decoder) };
      },
      parse: async (data) => data,
    },
    logResponseError: false,
  });
  return answer;
}
