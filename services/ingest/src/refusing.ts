import type { Socket } from 'node:net';
import type { HttpFaultCode } from '@runlog/schema/faults';
import { type FastifyReply, type FastifyRequest, sendFault } from '@runlog/service-kit/http-server';
import type { AdmissionFault } from './admission.ts';
import type { IngestMetrics } from './ingest-metrics.ts';
import { drainBody, type ReadLimits } from './read-body.ts';

/**
 * The longest wait that is named if it is unknown when a retry can succeed. Waits are random, so that clients spread.
 */
const RETRY_AFTER_SECONDS_MAX = 4;

export interface Fault {
  readonly code: HttpFaultCode;
  readonly message: string;
  /** Is set if it is known when the same request can succeed. */
  readonly retryAfterSeconds?: number;
}

/** Answers requests with faults, and counts the faults. */
export class Refusing {
  readonly #metrics: Pick<IngestMetrics, 'fault'>;
  readonly #limits: ReadLimits;
  readonly #random: () => number;
  readonly #closing: () => boolean;

  constructor(options: {
    metrics: Pick<IngestMetrics, 'fault'>;
    limits: ReadLimits;
    /** Returns a number from 0 to below 1, which spreads retries. */
    random: () => number;
    closing: () => boolean;
  }) {
    this.#metrics = options.metrics;
    this.#limits = options.limits;
    this.#random = options.random;
    this.#closing = options.closing;
  }

  /** Answers before the body was read, in a way that its sender notices. */
  async unread(request: FastifyRequest, reply: FastifyReply, fault: Fault): Promise<FastifyReply> {
    // A client that waits for "100 Continue" sends no body once it has an answer.
    const drained = !expectsContinue(request) && (await drainBody(request.raw, this.#limits));
    // A client that arrives while this server closes must open its next connection to another server.
    if (!drained || fault.code === 'closing') reply.header('connection', 'close');
    return this.fail(reply, fault);
  }

  /** Answers at once. Bytes of the body that still arrive are dropped up to the bounds; then the connection is cut. */
  atOnce(request: FastifyRequest, reply: FastifyReply, fault: AdmissionFault): FastifyReply {
    if (expectsContinue(request)) {
      reply.header('connection', 'close');
    } else {
      void drainBody(request.raw, this.#limits).then((drained) => {
        // Nothing else would end a connection that becomes idle only after the server began to close.
        if (!drained || this.#closing()) endAfter(reply, request.raw.socket);
      });
    }
    return this.fail(reply, fault);
  }

  /** Answers a request whose body needs no further handling. */
  fail(reply: FastifyReply, fault: Fault): FastifyReply {
    this.#metrics.fault(fault.code);
    const retryAfterSeconds = fault.retryAfterSeconds ?? this.someSeconds();
    return sendFault(reply, fault.code, fault.message, { retryAfterSeconds });
  }

  someSeconds(): number {
    return 1 + Math.floor(this.#random() * RETRY_AFTER_SECONDS_MAX);
  }
}

export function expectsContinue(request: FastifyRequest): boolean {
  return request.headers.expect?.toLowerCase() === '100-continue';
}

/** Cuts the connection once the answer has been sent. */
function endAfter(reply: FastifyReply, socket: Socket): void {
  if (reply.raw.writableFinished) socket.destroy();
  else reply.raw.once('finish', () => socket.destroySoon());
}
