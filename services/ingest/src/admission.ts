import type { HttpFaultCode } from '@runlog/schema/faults';
import type { PublishKey } from '@runlog/schema/keys';
import { runKeyPart } from '@runlog/schema/run/run-key';
import { bearerOf, type KeyRing } from '@runlog/service-kit/keys';
import { Quota, type Rate } from './quota.ts';

const DEFAULT_CLUSTER = 'local';

/** The sender of a request. `key`: `null` in open mode, which knows no quotas. */
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
   * Before the body is read: refused while its publisher owes bytes or events. Its bytes (`null`: not said) are spent,
   * whatever becomes of the request: they travel.
   */
  admitBytes(publisher: Publisher, bytes: number | null): AdmissionFault | null {
    const overQuota = this.#overQuota(publisher);
    if (overQuota !== null) return overQuota;
    this.countBytes(publisher, bytes ?? 0);
    return null;
  }

  /** Bytes of a body whose head did not say how many there are. */
  countBytes({ clusterId, key }: Publisher, bytes: number): void {
    const rate = bytesRateOf(key);
    if (rate !== null) this.#bytes.spend(clusterId, bytes, rate);
  }

  /** After judging: all of the body's events or, when others spent what there was while it was read, none. */
  admitEvents(publisher: Publisher, events: number): AdmissionFault | null {
    const { clusterId, key } = publisher;
    const rate = eventsRateOf(key);
    if (rate === null) return null;
    if (this.#events.waitMs(clusterId, rate) > 0) return this.#overQuota(publisher);
    this.#events.spend(clusterId, events, rate);
    return null;
  }

  /** Events that the log did not take come again: they are not counted twice. */
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
