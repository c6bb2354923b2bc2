import type { HttpFaultCode } from '@runlog/schema/faults';
import type { PublishKey } from '@runlog/schema/keys';
import { runKeyPart } from '@runlog/schema/run/run-key-part';
import { bearerOf, type KeyRing } from '@runlog/service-kit/keys';
import { Quota, type Rate } from './quota.ts';
import type { QuotaExchange } from './quota-exchange.ts';
import type { Spent } from './workers/worker-messages.ts';

const DEFAULT_CLUSTER = 'local';

/** The sender of a request. `key` is null in open mode, which has no quotas. */
export interface Publisher {
  readonly clusterId: string;
  readonly key: PublishKey | null;
}

export interface AdmissionFault {
  readonly kind: 'fault';
  readonly code: HttpFaultCode;
  readonly message: string;
  /** Whole seconds until the same request would be admitted; only with `quota_exceeded`. */
  readonly retryAfterSeconds?: number;
}

type Admitted = { readonly kind: 'admitted'; readonly publisher: Publisher } | AdmissionFault;

/** Decides who may publish, and how much they may publish now. It knows nothing of bodies but their sizes. */
export class Admission {
  readonly #keys: KeyRing | null;
  readonly #events: Quota;
  readonly #bytes: Quota;

  /**
   * `keys` is null in open mode. `now` returns milliseconds; only differences count. `exchange` connects processes that
   * share the quotas.
   */
  constructor(options: { keys: KeyRing | null; now: () => number; exchange?: QuotaExchange | undefined }) {
    const { now, exchange } = options;
    this.#keys = options.keys;
    const quota = (kind: Spent['quota']) =>
      new Quota({
        now,
        onSpent: (name, amount, { perSecond }) => exchange?.spent({ quota: kind, name, amount, perSecond }),
      });
    this.#events = quota('events');
    this.#bytes = quota('bytes');
    exchange?.onSpentElsewhere(({ quota: kind, name, amount, perSecond }) => {
      const shared = kind === 'events' ? this.#events : this.#bytes;
      shared.spentElsewhere(name, amount, { perSecond });
    });
  }

  /** Identifies the publisher by the head of a request. */
  identify(head: { authorization: string | undefined; clusterId: string | undefined }): Admitted {
    const cluster = head.clusterId === undefined ? null : runKeyPart.safeParse(head.clusterId);
    if (this.#keys === null) {
      if (cluster?.success === false) return clusterFault(cluster.error.issues[0]?.message);
      const publisher = { clusterId: cluster?.data ?? DEFAULT_CLUSTER, key: null };
      return { kind: 'admitted', publisher };
    }
    const secret = bearerOf(head.authorization);
    if (secret === null) return fault('unauthorized', 'publishing requires a key: Authorization: Bearer KEY');
    const key = this.#keys.find(secret);
    if (key === null) return fault('unauthorized', 'this key is not valid (any more)');
    if (key.role !== 'publish') return fault('forbidden', `the key ${key.id} may view, not publish`);
    if (cluster !== null && cluster.data !== key.cluster) {
      return fault('forbidden', `the key ${key.id} publishes only for the cluster ${key.cluster}`);
    }
    return { kind: 'admitted', publisher: { clusterId: key.cluster, key } };
  }

  /** Whether the request carries any valid key, whatever its role. In open mode this is always true. */
  isKnown(authorization: string | undefined): boolean {
    return this.#keys === null || this.#keys.find(bearerOf(authorization) ?? '') !== null;
  }

  /**
   * Admits a request before its body is read, unless its publisher owes bytes or events. The bytes of the body are
   * spent whatever becomes of the request, because they are sent anyway. `bytes` is null if the head does not name
   * their number.
   */
  admitBytes(publisher: Publisher, bytes: number | null): AdmissionFault | null {
    const overQuota = this.#overQuota(publisher);
    if (overQuota !== null) return overQuota;
    this.countBytes(publisher, bytes ?? 0);
    return null;
  }

  /** Counts bytes of a body whose head did not name their number. */
  countBytes({ clusterId, key }: Publisher, bytes: number): void {
    const rate = bytesRateOf(key);
    if (rate !== null) this.#bytes.spend(clusterId, bytes, rate);
  }

  /** Admits a body's events after judging: all of them, or none if others spent the quota while the body was read. */
  admitEvents(publisher: Publisher, events: number): AdmissionFault | null {
    const { clusterId, key } = publisher;
    const rate = eventsRateOf(key);
    if (rate === null) return null;
    if (this.#events.waitMs(clusterId, rate) > 0) return this.#overQuota(publisher);
    this.#events.spend(clusterId, events, rate);
    return null;
  }

  /** Refunds events that the log did not take. They will be sent again, and must not be counted twice. */
  refundEvents({ clusterId, key }: Publisher, events: number): void {
    const rate = eventsRateOf(key);
    if (rate !== null) this.#events.refund(clusterId, events, rate);
  }

  #overQuota({ clusterId, key }: Publisher): AdmissionFault | null {
    const events = eventsRateOf(key);
    const bytes = bytesRateOf(key);
    const eventsMs = events === null ? 0 : this.#events.waitMs(clusterId, events);
    const bytesMs = bytes === null ? 0 : this.#bytes.waitMs(clusterId, bytes);
    if (eventsMs === 0 && bytesMs === 0) return null;
    const limit = bytesMs > eventsMs ? `${bytes?.perSecond} bytes` : `${events?.perSecond} events`;
    const retryAfterSeconds = Math.ceil(Math.max(eventsMs, bytesMs) / 1_000);
    return {
      kind: 'fault',
      code: 'quota_exceeded',
      message: `${clusterId} may send ${limit} a second; send this again in ${retryAfterSeconds} s`,
      retryAfterSeconds,
    };
  }
}

function eventsRateOf(key: PublishKey | null): Rate | null {
  const perSecond = key?.events_per_second;
  return perSecond === undefined ? null : { perSecond };
}

function bytesRateOf(key: PublishKey | null): Rate | null {
  const perSecond = key?.bytes_per_second;
  return perSecond === undefined ? null : { perSecond };
}

function fault(code: HttpFaultCode, message: string): AdmissionFault {
  return { kind: 'fault', code, message };
}

function clusterFault(reason: string | undefined): AdmissionFault {
  return fault('invalid_query', `the header X-Cluster-Id ${reason ?? 'is not usable'}`);
}
