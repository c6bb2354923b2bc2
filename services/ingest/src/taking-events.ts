import type { EventFaultCode } from '@runlog/schema/faults';
import type { FastifyReply, FastifyRequest } from '@runlog/service-kit/http-server';
import { acceptBatch, type RejectedEvent, withRefused } from './accept-batch.ts';
import type { Admission, Publisher } from './admission.ts';
import { type Answer, answerOf, publishedDry } from './answer.ts';
import type { ByteBudget, ByteShare } from './byte-budget.ts';
import type { IngestMetrics } from './ingest-metrics.ts';
import type { IngestRequest } from './ingest-request.ts';
import type { OpenLog } from './open-log.ts';
import { publish } from './publish.ts';
import type { ReadLimits } from './read-body.ts';
import { receiveBody } from './receive-body.ts';
import type { Refusing } from './refusing.ts';

/** A request that was admitted before its body was read. */
export interface AdmittedRequest {
  readonly head: Extract<IngestRequest, { kind: 'request' }>;
  readonly publisher: Publisher;
  readonly log: OpenLog;
}

/** Reads the body of an admitted request, judges its events, publishes them and answers. */
export class TakingEvents {
  readonly #admission: Admission;
  readonly #budget: ByteBudget;
  readonly #limits: ReadLimits;
  readonly #metrics: IngestMetrics;
  readonly #refusing: Refusing;
  readonly #now: () => number;

  constructor(options: {
    admission: Admission;
    budget: ByteBudget;
    limits: ReadLimits;
    metrics: IngestMetrics;
    refusing: Refusing;
    now: () => number;
  }) {
    this.#admission = options.admission;
    this.#budget = options.budget;
    this.#limits = options.limits;
    this.#metrics = options.metrics;
    this.#refusing = options.refusing;
    this.#now = options.now;
  }

  async take(request: FastifyRequest, reply: FastifyReply, admitted: AdmittedRequest): Promise<FastifyReply> {
    const share = this.#budget.share();
    try {
      return await this.#readAndJudge(request, reply, { admitted, share });
    } finally {
      share[Symbol.dispose]();
    }
  }

  async #readAndJudge(
    request: FastifyRequest,
    reply: FastifyReply,
    { admitted, share }: { admitted: AdmittedRequest; share: ByteShare },
  ): Promise<FastifyReply> {
    const { head, publisher } = admitted;
    const received = await receiveBody(request, reply, {
      ...{ head, limits: this.#limits, share, refusing: this.#refusing },
      onRead: (bytes) => {
        if (head.bodyBytes === null) this.#admission.countBytes(publisher, bytes);
      },
    });
    switch (received.kind) {
      case 'answered':
        return received.reply;
      case 'fault':
        return this.#refusing.fail(reply, received.fault);
      case 'complete':
        break;
      default: {
        const unreachable: never = received;
        throw new Error(`unknown body ${String(unreachable)}`);
      }
    }
    return this.#judgeAndPublish(reply, admitted, { share, body: received.body });
  }

  async #judgeAndPublish(
    reply: FastifyReply,
    { head, publisher, log }: AdmittedRequest,
    { share, body }: { share: ByteShare; body: Buffer },
  ): Promise<FastifyReply> {
    const receivedAtMs = this.#now();
    const parsed = acceptBatch(body, {
      ...{ format: head.format, clusterId: publisher.clusterId, receivedAtMs },
      keepsJson: log.keepsJson,
    });
    if (parsed.kind === 'refused') return this.#refusing.fail(reply, parsed);
    const overQuota = this.#admission.admitEvents(publisher, parsed.total);
    if (overQuota !== null) return this.#refusing.fail(reply, overQuota);
    if (head.dryRun) return this.#sendAnswer(reply, answerOf(parsed, publishedDry(parsed)));
    const { events } = parsed;
    const begunMs = performance.now();
    const published = await publish({ log, events });
    const judged = withRefused(parsed, published.refused);
    this.#metrics.acknowledged((performance.now() - begunMs) / 1_000);
    this.#metrics.published({
      ...{ clusterId: publisher.clusterId, events: judged.total, bytes: body.length },
      ...{ accepted: published.acknowledged, normalized: published.normalized },
      ...{ retry: published.retry.length, rejected: countedByCode(judged.rejected) },
    });
    share.keepUntil(published.settled);
    if (published.fault !== null) log.outage.failed(published.fault);
    else if (published.acknowledged > 0) log.outage.stored();
    const answer = answerOf(judged, published);
    // A body that is answered with 503 will be sent again, and its rejected events with it.
    if (answer.kind === 'fault') this.#admission.refundEvents(publisher, judged.total);
    else log.rejectedTopic.offer(judged.rejected, { receivedAtMs, keyId: publisher.key?.id ?? null });
    return this.#sendAnswer(reply, answer);
  }

  #sendAnswer(reply: FastifyReply, answer: Answer): FastifyReply {
    switch (answer.kind) {
      case 'response':
        if (answer.retryAfter) reply.header('retry-after', String(this.#refusing.someSeconds()));
        return reply.code(200).send(answer.response);
      case 'all_rejected':
        this.#metrics.fault('all_rejected');
        return reply.code(422).send(answer.response);
      case 'fault':
        return this.#refusing.fail(reply, answer);
      default: {
        const unreachable: never = answer;
        throw new Error(`unknown answer ${String(unreachable)}`);
      }
    }
  }
}

function countedByCode(rejected: readonly RejectedEvent[]): ReadonlyMap<EventFaultCode, number> {
  const counts = new Map<EventFaultCode, number>();
  for (const { error } of rejected) counts.set(error.code, (counts.get(error.code) ?? 0) + 1);
  return counts;
}
