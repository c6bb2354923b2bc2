import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type HttpFaultCode, httpFaultBody, httpFaults } from '@runlog/schema/faults';

/** For what is no HTTP request, so that no route ever sees it: the same shape as every other error, then the end. */
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
  // An answer may be under way on this connection: then a second one would only spoil it.
  if (socket.writable && !hasAnswerUnderWay(socket)) socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  else socket.destroy(error);
}

function faultOf(code: string | undefined): { code: HttpFaultCode; message: string } {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return { code: 'headers_too_large', message: 'the header fields are too large' };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { code: 'body_stalled', message: 'the request did not come to its end in time' };
    default:
      return { code: 'bad_request', message: 'this is no HTTP request that can be understood' };
  }
}

/** Node keeps the response that a connection is sending here. */
function hasAnswerUnderWay(socket: Socket & { _httpMessage?: { headersSent?: boolean } | null }): boolean {
  return socket._httpMessage?.headersSent === true;
}
