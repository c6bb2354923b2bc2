/** The name of the stream protocol, which client and gateway agree on in the WebSocket handshake. */
export const STREAM_SUBPROTOCOL = 'runlog.v1';
