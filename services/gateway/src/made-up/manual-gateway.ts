import { setImmediate } from 'node:timers/promises';
import { type MadeUpGateway, startMadeUpGateway } from './made-up-gateway.ts';
import { ManualClock } from './manual-clock.ts';

/** The real server with real sockets, and a clock that moves only when it is told to. It moves by itself while it stops. */
export async function startManualGateway(
  options: Omit<Parameters<typeof startMadeUpGateway>[0], 'clock'> = {},
): Promise<MadeUpGateway & { clock: ManualClock }> {
  const clock = new ManualClock(Date.UTC(2026, 0, 4));
  const gateway = await startMadeUpGateway({ ...options, clock });
  const stop = gateway[Symbol.asyncDispose].bind(gateway);
  return Object.assign(gateway, {
    clock,
    async [Symbol.asyncDispose]() {
      let isStopped = false;
      const stopped = (async () => {
        await stop();
        isStopped = true;
      })();
      while (!isStopped) {
        await setImmediate();
        clock.advance(10);
      }
      await stopped;
    },
  });
}
