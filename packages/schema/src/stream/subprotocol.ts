/** The name of the stream protocol, which client and gateway agree on in the WebSocket handshake. */
export const STREAM_SUBPROTOCOL = 'runlog.v1';

/** The path of the WebSocket. */
export const STREAM_PATH = '/v1/stream';

/** The path of the same stream as server-sent events. */
export const STREAM_EVENTS_PATH = `${STREAM_PATH}/events`;
