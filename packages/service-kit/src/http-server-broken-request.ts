import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type HttpFaultCode, httpFaultBody, httpFaults } from '@runlog/schema/faults';

/**
 * Answers bytes that are not a valid HTTP request, which no route ever sees. The answer has the same shape as every
 * other error; then the connection ends.
 */
export function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const { code, message } = faultOf(error.code);
  const { status } = httpFaults[code];
  const body = JSON.stringify(httpFaultBody(code, message));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  // If an answer is already being sent on this connection, a second one would only spoil it.
  if (socket.writable && !hasAnswerUnderWay(socket)) socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  else socket.destroy(error);
}

function faultOf(code: string | undefined): { code: HttpFaultCode; message: string } {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return { code: 'headers_too_large', message: 'the header fields are too large' };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { code: 'body_stalled', message: 'the request did not end in time' };
    default:
      return { code: 'bad_request', message: 'this is not a valid HTTP request' };
  }
}

/** Node keeps the response that a connection is sending in this field. */
function hasAnswerUnderWay(socket: Socket & { _httpMessage?: { headersSent?: boolean } | null }): boolean {
  return socket._httpMessage?.headersSent === true;
}
