import type { HttpFaultCode } from '@runlog/schema/faults';
import type { PublishKey } from '@runlog/schema/keys';
import { BODY_BYTES_MAX, BODY_EVENTS_MAX } from '@runlog/schema/limits';
import { runKeyPart } from '@runlog/schema/run-key';
import { bearerOf, type KeyRing } from '@runlog/service-kit/keys';
import { Quota, type Rate } from './quota.ts';

const DEFAULT_CLUSTER = 'local';

/** Who publishes. `key`: `null` in open mode, which knows no quotas. */
export interface Publisher {
  readonly clusterId: string;
  readonly key: PublishKey | null;
}

export interface AdmissionFault {
  readonly kind: 'fault';
  readonly code: HttpFaultCode;
  readonly message: string;
  /** Whole seconds until the same request is admitted; only with `quota_exceeded`. */
  readonly retryAfterSeconds?: number;
}

type Admitted = { readonly kind: 'admitted'; readonly publisher: Publisher } | AdmissionFault;

/** Decides who may publish, and how much of it now. Knows nothing of bodies but their sizes. */
export class Admission {
  readonly #keys: KeyRing | null;
  readonly #events: Quota;
  readonly #bytes: Quota;

  /** `keys`: `null` for open mode. `now`: milliseconds; only differences count. */
  constructor(options: { keys: KeyRing | null; now: () => number }) {
    this.#keys = options.keys;
    this.#events = new Quota({ now: options.now });
    this.#bytes = new Quota({ now: options.now });
  }

  /** By the head of a request: whose it is. */
  identify(head: { authorization: string | undefined; clusterId: string | undefined }): Admitted {
    const cluster = head.clusterId === undefined ? null : runKeyPart.safeParse(head.clusterId);
    if (this.#keys === null) {
      if (cluster?.success === false) return clusterFault(cluster.error.issues[0]?.message);
      const publisher = { clusterId: cluster?.data ?? DEFAULT_CLUSTER, key: null };
      return { kind: 'admitted', publisher };
    }
    const secret = bearerOf(head.authorization);
    if (secret === null) return fault('unauthorized', 'publishing needs a key: Authorization: Bearer KEY');
    const key = this.#keys.find(secret);
    if (key === null) return fault('unauthorized', 'this key is not valid (any more)');
    if (key.role !== 'publish') return fault('forbidden', `the key ${key.id} may view, not publish`);
    if (cluster !== null && cluster.data !== key.cluster) {
      return fault('forbidden', `the key ${key.id} publishes for the cluster ${key.cluster} alone`);
    }
    return { kind: 'admitted', publisher: { clusterId: key.cluster, key } };
  }

  /** Whether the request shows any valid key, whatever it may do; always so in open mode. */
  isKnown(authorization: string | undefined): boolean {
    return this.#keys === null || this.#keys.find(bearerOf(authorization) ?? '') !== null;
  }

  /**
   * Before the body is read. Its bytes (`null`: not said) are spent, whatever becomes of the request: they travel.
   * A publisher without a single event left is refused as well, before it sends what could not be taken.
   */
  admitBytes({ clusterId, key }: Publisher, bytes: number | null): AdmissionFault | null {
    const eventsRate = eventsRateOf(key);
    const bytesRate = bytesRateOf(key);
    const eventsMs = eventsRate === null ? 0 : this.#events.waitMs(clusterId, 1, eventsRate);
    const bytesMs = bytesRate === null ? 0 : this.#bytes.waitMs(clusterId, bytes ?? 1, bytesRate);
    if (eventsMs > 0 || bytesMs > 0) {
      const { perSecond, what } =
        bytesMs > eventsMs
          ? { perSecond: bytesRate?.perSecond, what: 'bytes' }
          : { perSecond: eventsRate?.perSecond, what: 'events' };
      return overQuota(`${clusterId} may send ${perSecond} ${what} a second`, Math.max(eventsMs, bytesMs));
    }
    if (bytesRate !== null && bytes !== null) this.#bytes.spend(clusterId, bytes, bytesRate);
    return null;
  }

  /** Bytes of a body whose head did not say how many there are. */
  countBytes({ clusterId, key }: Publisher, bytes: number): void {
    const rate = bytesRateOf(key);
    if (rate !== null) this.#bytes.spend(clusterId, bytes, rate);
  }

  /** After judging: all of the body's events or, when they do not fit, none. `bodyBytes`: what sending again costs. */
  admitEvents(
    { clusterId, key }: Publisher,
    { events, bodyBytes }: { events: number; bodyBytes: number },
  ): AdmissionFault | null {
    const rate = eventsRateOf(key);
    if (rate === null) return null;
    const waitMs = this.#events.waitMs(clusterId, events, rate);
    if (waitMs === 0) {
      this.#events.spend(clusterId, events, rate);
      return null;
    }
    const bytesRate = bytesRateOf(key);
    const bytesMs = bytesRate === null ? 0 : this.#bytes.waitMs(clusterId, bodyBytes, bytesRate);
    return overQuota(`${clusterId} may send ${rate.perSecond} events a second`, Math.max(waitMs, bytesMs));
  }

  /** Events that the log did not take come again: they are not counted twice. */
  refundEvents({ clusterId, key }: Publisher, events: number): void {
    const rate = eventsRateOf(key);
    if (rate !== null) this.#events.refund(clusterId, events, rate);
  }
}

/** A burst of one second, and never less than one body: else the largest one could never be sent. */
function eventsRateOf(key: PublishKey | null): Rate | null {
  const perSecond = key?.events_per_second;
  return perSecond === undefined ? null : { perSecond, burst: Math.max(perSecond, BODY_EVENTS_MAX) };
}

function bytesRateOf(key: PublishKey | null): Rate | null {
  const perSecond = key?.bytes_per_second;
  return perSecond === undefined ? null : { perSecond, burst: Math.max(perSecond, BODY_BYTES_MAX) };
}

function fault(code: HttpFaultCode, message: string): AdmissionFault {
  return { kind: 'fault', code, message };
}

function overQuota(message: string, waitMs: number): AdmissionFault {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1_000));
  return {
    kind: 'fault',
    code: 'quota_exceeded',
    message: `${message}; send this again in ${retryAfterSeconds} s`,
    retryAfterSeconds,
  };
}

function clusterFault(reason: string | undefined): AdmissionFault {
  return fault('invalid_query', `the header X-Cluster-Id ${reason ?? 'is not usable'}`);
}
