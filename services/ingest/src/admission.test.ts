import { type Key, keySchema } from '@runlog/schema/keys';
import { BODY_BYTES_MAX, BODY_EVENTS_MAX } from '@runlog/schema/limits';
import { digestOf, keyLookup } from '@runlog/service-kit/keys';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Admission, type Publisher } from './admission.ts';
import { Quota } from './quota.ts';

function key(id: string, overrides: object = {}): Key {
  return keySchema.parse({ id, sha256: digestOf(id), role: 'publish', cluster: 'c1', ...overrides });
}

const viewKey = keySchema.parse({ id: 'v', sha256: digestOf('v'), role: 'view', runs: ['*'] });

function admissionWith(keys: readonly Key[] | null) {
  const clock = { ms: 1_000 };
  const find = keyLookup(keys ?? []);
  const ring = keys === null ? null : { find, onChange: () => () => undefined };
  const admission = new Admission({ keys: ring, now: () => clock.ms });
  const identify = (secret?: string, clusterId?: string) =>
    admission.identify({ authorization: secret === undefined ? undefined : `Bearer ${secret}`, clusterId });
  const publisher = (secret: string): Publisher => {
    const identified = identify(secret);
    if (identified.kind === 'fault') throw new Error(identified.message);
    return identified.publisher;
  };
  return { admission, clock, identify, publisher };
}

describe('who may publish', () => {
  it('is anyone in open mode, for the cluster that is named', () => {
    const { identify } = admissionWith(null);
    expect(identify()).toMatchObject({ publisher: { clusterId: 'local', key: null } });
    expect(identify('any key', 'c9')).toMatchObject({ publisher: { clusterId: 'c9', key: null } });
    expect(identify(undefined, 'a/b')).toMatchObject({ kind: 'fault', code: 'invalid_query' });
  });

  it('is the holder of a publish key, for its own cluster', () => {
    const { identify } = admissionWith([key('a'), viewKey]);
    expect(identify('a')).toMatchObject({ publisher: { clusterId: 'c1' } });
    expect(identify('a', 'c1')).toMatchObject({ publisher: { clusterId: 'c1' } });
    expect(identify()).toMatchObject({ code: 'unauthorized' });
    expect(identify('b')).toMatchObject({ code: 'unauthorized' });
    expect(identify('a', 'c2')).toMatchObject({ code: 'forbidden' });
    expect(identify('a', 'a/b')).toMatchObject({ code: 'forbidden' });
    expect(identify('v')).toMatchObject({ code: 'forbidden' });
  });
});

describe('quotas', () => {
  it('do not exist in open mode, nor for a key without a rate', () => {
    const { admission, identify, publisher } = admissionWith([key('a')]);
    const open = admissionWith(null);
    const anyone = open.identify();
    if (anyone.kind === 'fault' || identify('a').kind === 'fault') throw new Error('not admitted');
    for (let at = 0; at < 1_000; at += 1) {
      expect(admission.admitBytes(publisher('a'), BODY_BYTES_MAX)).toBeNull();
      expect(open.admission.admitBytes(anyone.publisher, BODY_BYTES_MAX)).toBeNull();
    }
  });

  it('count bytes before a body is read, and say when the same request will be admitted', () => {
    const { admission, clock, publisher } = admissionWith([key('a', { bytes_per_second: 1_000_000 })]);
    expect(admission.admitBytes(publisher('a'), BODY_BYTES_MAX)).toBeNull();
    const refused = admission.admitBytes(publisher('a'), 1_500_000);
    expect(refused).toMatchObject({ code: 'quota_exceeded', retryAfterSeconds: 2 });
    clock.ms += 1_499;
    expect(admission.admitBytes(publisher('a'), 1_500_000)).not.toBeNull();
    clock.ms += 501;
    expect(admission.admitBytes(publisher('a'), 1_500_000)).toBeNull();
  });

  it('count the bytes of a body that did not announce them, and the next one pays', () => {
    const { admission, publisher } = admissionWith([key('a', { bytes_per_second: 1_000_000 })]);
    expect(admission.admitBytes(publisher('a'), null)).toBeNull();
    admission.countBytes(publisher('a'), BODY_BYTES_MAX);
    expect(admission.admitBytes(publisher('a'), null)).toMatchObject({ retryAfterSeconds: 1 });
  });

  it('count the events of a body whole or not at all, and refuse early when none is left', () => {
    const { admission, clock, publisher } = admissionWith([key('a', { events_per_second: 10 })]);
    const full = { events: BODY_EVENTS_MAX, bodyBytes: 10 };
    expect(admission.admitEvents(publisher('a'), full)).toBeNull();
    expect(admission.admitBytes(publisher('a'), 10)).toMatchObject({ retryAfterSeconds: 1 });
    expect(admission.admitEvents(publisher('a'), full)).toMatchObject({ retryAfterSeconds: 100 });
    clock.ms += 100_000;
    expect(admission.admitEvents(publisher('a'), full)).toBeNull();
    admission.refundEvents(publisher('a'), BODY_EVENTS_MAX);
    expect(admission.admitEvents(publisher('a'), full)).toBeNull();
  });

  it('are shared by the keys of a cluster and by nobody else', () => {
    const rate = { events_per_second: 1_000 };
    const { admission, publisher } = admissionWith([
      key('a', rate),
      key('b', rate),
      key('c', { ...rate, cluster: 'c2' }),
    ]);
    const full = { events: BODY_EVENTS_MAX, bodyBytes: 10 };
    expect(admission.admitEvents(publisher('a'), full)).toBeNull();
    expect(admission.admitEvents(publisher('b'), full)).not.toBeNull();
    expect(admission.admitEvents(publisher('c'), full)).toBeNull();
  });

  it('never let more through than the rate and one burst, and always let through after the wait they said', () => {
    const steps = fc.array(fc.record({ waitMs: fc.nat(3_000), amount: fc.integer({ min: 1, max: 500 }) }));
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 1_000 }), (taken, perSecond) => {
        const rate = { perSecond, burst: 500 };
        const clock = { ms: 0 };
        const quota = new Quota({ now: () => clock.ms });
        let spent = 0;
        for (const { waitMs, amount } of taken) {
          clock.ms += waitMs;
          const toWaitMs = quota.waitMs('c1', amount, rate);
          if (toWaitMs > 0) {
            clock.ms += Math.ceil(toWaitMs);
            expect(quota.waitMs('c1', amount, rate)).toBe(0);
          }
          quota.spend('c1', amount, rate);
          spent += amount;
          expect(spent).toBeLessThanOrEqual(rate.burst + (clock.ms / 1_000) * perSecond + 1e-6);
        }
      }),
    );
  });

  it('keep no more buckets than are in use', () => {
    const clock = { ms: 0 };
    const quota = new Quota({ now: () => clock.ms });
    const rate = { perSecond: 1, burst: 1 };
    for (let at = 0; at < 5_000; at += 1) {
      clock.ms += 1_000;
      quota.spend(`c${at}`, 1, rate);
      expect(quota.waitMs(`c${at}`, 1, rate)).toBe(1_000);
    }
    expect(quota.buckets).toBeLessThanOrEqual(1_024);
  });
});
