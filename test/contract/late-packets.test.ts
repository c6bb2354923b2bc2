import { describe, expect, it } from 'vitest';
import { runSchedules } from '../late-packets/run-schedules.ts';
import { proxiedBrokers } from '../support/proxied-brokers.ts';

const LANES = 8;
const SCHEDULES = 40;
/** Late requests of these kinds must be among them. */
const ARRIVALS_TO_REACH = ['EndTxn', 'Produce', 'AddPartitionsToTxn', 'InitProducerId'];

/** `npm run late-packets` runs ten thousand of them. */
describe('transactions whose requests are held, lost and delivered late', () => {
  const brokerWith = proxiedBrokers();

  it.concurrent.each([true, false])(
    'are whole or absent, with partition verification %s',
    async (verification) => {
      const report = await runSchedules({
        broker: brokerWith(verification),
        // The same in every run. Other seeds are tried by the long series.
        seeds: Array.from({ length: SCHEDULES }, (_, index) => index),
        lanes: LANES,
      });
      expect(report.failed).toEqual([]);
      expect(report.schedules).toBe(SCHEDULES);
      for (const api of ARRIVALS_TO_REACH) {
        expect(
          Object.keys(report.arrivals).filter((arrival) => arrival.startsWith(`${api} at `)),
        ).not.toEqual([]);
      }
    },
  );
});
