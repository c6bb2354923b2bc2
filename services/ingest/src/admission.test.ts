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
  it('may be anyone in open mode, for the cluster that is named', () => {
    const { identify } = admissionWith(null);
    expect(identify()).toMatchObject({ publisher: { clusterId: 'local', key: null } });
    expect(identify('any key', 'c9')).toMatchObject({ publisher: { clusterId: 'c9', key: null } });
    expect(identify(undefined, 'a/b')).toMatchObject({ kind: 'fault', code: 'invalid_query' });
  });

  it('may be the holder of a publish key, for its own cluster', () => {
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
    expect(admission.admitBytes(publisher('a'), 2_500_000)).toBeNull();
    const refused = admission.admitBytes(publisher('a'), 1_500_000);
    expect(refused).toMatchObject({ code: 'quota_exceeded', retryAfterSeconds: 2 });
    clock.ms += 1_500;
    expect(admission.admitBytes(publisher('a'), 1_500_000)).not.toBeNull();
    clock.ms += 500;
    expect(admission.admitBytes(publisher('a'), 1_500_000)).toBeNull();
  });

  it('count the bytes of a body that did not announce its length, and refuse the next one until they are paid', () => {
    const { admission, publisher } = admissionWith([key('a', { bytes_per_second: 1_000_000 })]);
    expect(admission.admitBytes(publisher('a'), null)).toBeNull();
    admission.countBytes(publisher('a'), 1_900_000);
    expect(admission.admitBytes(publisher('a'), null)).toMatchObject({ retryAfterSeconds: 1 });
  });

  it('admit all events of a body, and refuse the next body unread until they are paid', () => {
    const { admission, clock, publisher } = admissionWith([key('a', { events_per_second: 10 })]);
    expect(admission.admitEvents(publisher('a'), BODY_EVENTS_MAX)).toBeNull();
    const refused = { code: 'quota_exceeded', retryAfterSeconds: 100 };
    expect(admission.admitBytes(publisher('a'), 10)).toMatchObject(refused);
    expect(admission.admitEvents(publisher('a'), 1)).toMatchObject(refused);
    clock.ms += refused.retryAfterSeconds * 1_000;
    expect(admission.admitBytes(publisher('a'), 10)).toBeNull();
    expect(admission.admitEvents(publisher('a'), BODY_EVENTS_MAX)).toBeNull();
    admission.refundEvents(publisher('a'), BODY_EVENTS_MAX);
    expect(admission.admitEvents(publisher('a'), BODY_EVENTS_MAX)).toBeNull();
  });

  it('use the longer wait of bytes and events', () => {
    const rates = { events_per_second: 10, bytes_per_second: 100 };
    const { admission, publisher } = admissionWith([key('a', rates)]);
    expect(admission.admitBytes(publisher('a'), 200)).toBeNull();
    expect(admission.admitEvents(publisher('a'), 1)).toBeNull();
    expect(admission.admitBytes(publisher('a'), 1)).toMatchObject({
      message: 'c1 may send 100 bytes a second; send this again in 2 s',
    });
    const many = admissionWith([key('a', rates)]);
    expect(many.admission.admitBytes(many.publisher('a'), 200)).toBeNull();
    expect(many.admission.admitEvents(many.publisher('a'), 100)).toBeNull();
    expect(many.admission.admitEvents(many.publisher('a'), 100)).toMatchObject({
      message: 'c1 may send 10 events a second; send this again in 10 s',
    });
  });

  it('are shared by the keys of one cluster and by no others', () => {
    const rate = { events_per_second: 1_000 };
    const { admission, publisher } = admissionWith([
      key('a', rate),
      key('b', rate),
      key('c', { ...rate, cluster: 'c2' }),
    ]);
    expect(admission.admitEvents(publisher('a'), BODY_EVENTS_MAX)).toBeNull();
    expect(admission.admitEvents(publisher('b'), 1)).not.toBeNull();
    expect(admission.admitEvents(publisher('c'), BODY_EVENTS_MAX)).toBeNull();
  });

  it('never admit more than the rate, one second of it and one body, and always admit after the wait they named', () => {
    const steps = fc.array(fc.record({ waitMs: fc.nat(3_000), amount: fc.integer({ min: 1, max: 500 }) }));
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 300 }), (taken, perSecond) => {
        const clock = { ms: 0 };
        const rate = { perSecond };
        const quota = new Quota({ now: () => clock.ms });
        let spent = 0;
        for (const { waitMs, amount } of taken) {
          clock.ms += waitMs;
          const toWaitMs = quota.waitMs('c1', rate);
          if (toWaitMs > 0) {
            clock.ms += Math.ceil(toWaitMs);
            expect(quota.waitMs('c1', rate)).toBe(0);
          }
          expect(spent).toBeLessThanOrEqual(perSecond + (clock.ms / 1_000) * perSecond + 1e-6);
          quota.spend('c1', amount, rate);
          spent += amount;
        }
      }),
    );
  });

  it('keep no more buckets than are in use', () => {
    const clock = { ms: 0 };
    const quota = new Quota({ now: () => clock.ms });
    const rate = { perSecond: 1 };
    for (let at = 0; at < 5_000; at += 1) {
      clock.ms += 1_000;
      quota.spend(`c${at}`, 1, rate);
      expect(quota.waitMs(`c${at}`, rate)).toBe(1_000);
    }
    expect(quota.buckets).toBeLessThanOrEqual(1_024);
  });
});
