import type { EventFaultCode } from '@runlog/schema/faults';
import type { IngestResponse } from '@runlog/schema/http/ingest-api';
import { ERRORS_LISTED_MAX, REJECTED_BYTES_MAX } from '@runlog/schema/limits';
import type { FastifyReply, FastifyRequest } from '@runlog/service-kit/http-server';
import { TopicIoError } from '@runlog/topic-io/topic-io';
import type { Admission, Publisher } from '../admission.ts';
import { faultOf } from '../answer.ts';
import type { ByteBudget, ByteShare } from '../byte-budget.ts';
import type { IngestMetrics } from '../ingest-metrics.ts';
import type { OpenLog } from '../open-log.ts';
import type { ReadLimits } from '../read-body.ts';
import { receiveBody } from '../receive-body.ts';
import type { Fault, Refusing } from '../refusing.ts';
import { within } from '../within.ts';
import { BodyItems } from './prepare-item.ts';
import type { SenderRequest } from './sender-request.ts';
import type { SenderSource, UnreadableBody } from './sender-source.ts';
import { type StoredBody, storeBody } from './store-body.ts';
import { StoredIds } from './stored-ids.ts';

/** One of the paths for senders that judge by the status alone. */
export interface SenderDoor<Format> {
  /** The same bytes are the same events behind doors of the same name. */
  readonly name: 'events' | 'logs';
  readonly sourceOf: (
    body: Buffer,
    options: { format: Format; defaultRunId: string },
  ) => SenderSource | UnreadableBody;
  /** What is kept of a body in which there are no events to be found. */
  readonly rawOf: (body: Buffer, format: Format) => Buffer;
  /** Whether a body that cannot be read is answered with 200 once it is kept, because it would come again for ever. */
  readonly takesAll: boolean;
  readonly answer: (reply: FastifyReply, format: Format, response: IngestResponse) => FastifyReply;
}

/** A request that was admitted before its body was read. */
export interface AdmittedBody<Format> {
  readonly door: SenderDoor<Format>;
  readonly head: Extract<SenderRequest<Format>, { kind: 'request' }>;
  readonly publisher: Publisher;
  /** Whether events may name their cluster themselves. */
  readonly takesCluster: boolean;
  readonly log: OpenLog;
}

/** The run of what names none, if the key does not say another and has no name. */
const DEFAULT_RUN = 'default';
const UNREADABLE_KEEP_MS_MAX = 8_000;

/**
 * Takes bodies from senders that judge by the status alone: 200 means that each event is stored or kept among the rejected
 * ones, 503 that the whole body must come again.
 */
export class TakingBodies {
  readonly #admission: Admission;
  readonly #budget: ByteBudget;
  readonly #limits: ReadLimits;
  readonly #metrics: IngestMetrics;
  readonly #refusing: Refusing;
  readonly #now: () => number;
  readonly #stored = new StoredIds();

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

  async take<Format>(
    request: FastifyRequest,
    reply: FastifyReply,
    admitted: AdmittedBody<Format>,
  ): Promise<FastifyReply> {
    using share = this.#budget.share();
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
        return this.#unreadable(reply, admitted, {
          fault: received.fault,
          body: received.damaged ?? Buffer.alloc(0),
          isKept: received.damaged !== undefined || received.fault.code === 'body_too_large',
        });
      case 'complete':
        return this.#store(reply, admitted, { share, body: received.body });
      default: {
        const unreachable: never = received;
        throw new Error(`unknown body ${String(unreachable)}`);
      }
    }
  }

  async #store<Format>(
    reply: FastifyReply,
    admitted: AdmittedBody<Format>,
    { share, body }: { share: ByteShare; body: Buffer },
  ): Promise<FastifyReply> {
    const { door, head, publisher, log } = admitted;
    const receivedAtMs = this.#now();
    const defaultRunId = publisher.key?.default_run ?? publisher.key?.id ?? DEFAULT_RUN;
    const source = door.sourceOf(body, { format: head.format, defaultRunId });
    if (source.kind === 'unreadable') {
      const { code, message } = source;
      const isKept = code !== 'too_many_events' || door.takesAll;
      return this.#unreadable(reply, admitted, { fault: { code, message }, body, isKept });
    }
    const overQuota = this.#admission.admitEvents(publisher, source.total);
    if (overQuota !== null) return this.#refusing.fail(reply, withoutQuotaCode(overQuota));
    const items = new BodyItems({
      ...{ body, total: source.total, receivedAtMs, stored: this.#stored },
      clusterId: publisher.clusterId,
      takesCluster: admitted.takesCluster,
      reading: JSON.stringify([door.name, head.format, defaultRunId, admitted.takesCluster]),
    });
    if (head.dryRun) return door.answer(reply, head.format, judgedOnly(source, items));
    const begunMs = performance.now();
    const keyId = publisher.key?.id ?? null;
    const stored = await storeBody({
      ...{ source, items, log, receivedAtMs, keyId, stored: this.#stored, budget: this.#budget },
      onPending: (work) => share.keepUntil(work),
    });
    this.#metrics.acknowledged((performance.now() - begunMs) / 1_000);
    const undone = source.total - stored.accepted - stored.rejected;
    this.#metrics.published({
      ...{ clusterId: publisher.clusterId, events: source.total, bytes: body.length, retry: undone },
      ...{ accepted: stored.accepted - stored.repeated, repeated: stored.repeated },
      ...{ normalized: stored.normalized, rejected: stored.rejectedByCode },
    });
    if (stored.fault !== null) {
      log.outage.failed(stored.fault);
      this.#admission.refundEvents(publisher, undone + stored.repeated);
      return this.#refusing.fail(reply, faultOf(stored.fault));
    }
    if (stored.accepted > stored.repeated) log.outage.stored();
    return door.answer(reply, head.format, responseOf(stored));
  }

  /** Answers a body in which no events can be found. What is left of it is kept first, for its sender drops it. */
  async #unreadable<Format>(
    reply: FastifyReply,
    { door, head, publisher, log }: AdmittedBody<Format>,
    { fault, body, isKept }: { fault: Fault; body: Buffer; isKept: boolean },
  ): Promise<FastifyReply> {
    if (!isKept || head.dryRun) return this.#refusing.fail(reply, fault);
    const code = codeOfUnreadable(fault);
    const error = { index: 0, event_id: null, code, path: '', message: fault.message };
    const keeping = log.rejectedTopic.keep(
      [{ error, key: publisher.clusterId, value: door.rawOf(body, head.format) }],
      { receivedAtMs: this.#now(), keyId: publisher.key?.id ?? null },
    );
    const late = new TopicIoError('unavailable', 'the body could not be kept in time');
    const kept = await within(keeping, UNREADABLE_KEEP_MS_MAX);
    const notKept = kept === undefined ? late : kept;
    if (notKept !== null) {
      log.outage.failed(notKept);
      return this.#refusing.fail(reply, faultOf(notKept));
    }
    if (!door.takesAll) return this.#refusing.fail(reply, fault);
    this.#metrics.published({
      ...{ clusterId: publisher.clusterId, events: 1, bytes: body.length, accepted: 0, normalized: 0 },
      ...{ retry: 0, rejected: new Map([[code, 1]]) },
    });
    return door.answer(reply, head.format, {
      ...{ accepted: 0, rejected: 1, retry: 0, normalized: 0 },
      ...{ errors: [error], errors_unlisted: 0, retry_indexes: [] },
    });
  }
}

/** Some senders drop what is answered with 429, whatever Retry-After says. */
export function withoutQuotaCode<Told extends Fault>(fault: Told): Told {
  return fault.code === 'quota_exceeded' ? { ...fault, code: 'overloaded' } : fault;
}

function codeOfUnreadable({ code }: Fault): EventFaultCode {
  if (code === 'invalid_utf8') return code;
  return code === 'body_too_large' || code === 'too_many_events' ? 'event_too_large' : 'invalid_json';
}

function responseOf(stored: StoredBody): IngestResponse {
  const { accepted, rejected, normalized, errors } = stored;
  return {
    ...{ accepted, rejected, retry: 0, normalized, errors },
    ...{ errors_unlisted: rejected - errors.length, retry_indexes: [] },
  };
}

/** With `dry_run`, nothing is stored or kept. */
function judgedOnly(source: SenderSource, items: BodyItems): IngestResponse {
  const response = { accepted: 0, rejected: 0, retry: 0, normalized: 0, errors_unlisted: 0 };
  const errors: IngestResponse['errors'] = [];
  for (let index = 0; index < source.total; index += 1) {
    const prepared = items.prepare(source.item(index), index);
    if (prepared.kind !== 'reject') response.accepted += 1;
    else {
      response.rejected += 1;
      if (errors.length < ERRORS_LISTED_MAX) errors.push(prepared.rejected.error);
      else response.errors_unlisted += 1;
    }
  }
  return { ...response, errors, retry_indexes: [] };
}

/** The beginning of a body, as much as is kept. */
export function beginningOf(body: Buffer): Buffer {
  return body.subarray(0, REJECTED_BYTES_MAX);
}
