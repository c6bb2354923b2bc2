import { expect, it } from 'vitest';
import { ConnectionRefusal } from './connection-refusal.ts';
import { mayHaveAppended, NOT_CONNECTABLE, toKafkaFault } from './faults.ts';
import { KafkaSecurity } from './security.ts';

const REASON = '127.0.0.1:9093 refuses the user ada or the password';

/** What kafkajs hands to the other requests of a connection whose socket our authentication ended. */
function asKafkajsSaysIt(): Error {
  return Object.assign(new Error(`Connection error: ${REASON}`), {
    ...{ name: 'KafkaJSConnectionError', broker: '127.0.0.1:9093', code: NOT_CONNECTABLE },
  });
}

function security() {
  const lines: unknown[] = [];
  const say = (fields: object, message: string) => void lines.push({ ...fields, message });
  const logger = { debug: say, info: say, warn: say, error: say };
  return { lines, security: new KafkaSecurity({ logger }) };
}

it('a refusal is final before anything has worked, also for the other requests of that connection', () => {
  const { security: fresh, lines } = security();
  const fault = fresh.explain(toKafkaFault(asKafkajsSaysIt()));
  expect(fault).toBeInstanceOf(ConnectionRefusal);
  expect(fault.message).toBe(REASON);
  expect(lines).toEqual([]);
});

it('a refusal of what has worked is said once, whichever request has it, and passes', () => {
  const { security: used, lines } = security();
  used.worked();
  for (const error of [asKafkajsSaysIt(), new ConnectionRefusal(REASON)]) {
    const fault = used.explain(toKafkaFault(error));
    expect(fault).toMatchObject({ code: null, message: REASON });
    expect(mayHaveAppended(fault)).toBe(true);
  }
  expect(lines).toEqual([{ reason: REASON, message: 'a connection to kafka is refused; trying again' }]);
});

it('brokers that refuse in turn are each said once, and the reasons that are remembered are bounded', () => {
  const { security: used, lines } = security();
  used.worked();
  const refusedBy = (broker: number) => `127.0.0.1:${broker} refuses the user ada or the password`;
  for (let round = 0; round < 5; round += 1) {
    for (const broker of [9093, 9094, 9095]) used.explain(new ConnectionRefusal(refusedBy(broker)));
  }
  expect(lines).toMatchObject([9093, 9094, 9095].map((broker) => ({ reason: refusedBy(broker) })));
  for (let broker = 0; broker < 1_000; broker += 1) used.explain(new ConnectionRefusal(refusedBy(broker)));
  used.explain(new ConnectionRefusal(refusedBy(9095)));
  expect(lines.filter((line) => (line as { reason: string }).reason === refusedBy(9095))).toHaveLength(2);
});
