import { describeTopicIo } from '../contract/topic-io-contract.ts';
import { Network } from './network.ts';
import { Scheduler } from './scheduler.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedLog } from './simulated-log.ts';
import { SimulatedProcess } from './simulated-process.ts';
import { SimulatedTopicIo } from './simulated-topic-io.ts';

const EVENTS_PER_TURN = 200;

// The simulated log must pass the contract of the real ones. Its virtual time runs as fast as the machine can.
describeTopicIo('simulated', async () => {
  const random = new SeededRandom(1);
  const scheduler = new Scheduler({ startMs: Date.now(), random });
  const network = new Network({ latencyMsMax: 2, slowChance: 0.02, slowMsMax: 50, lossChance: 0 });
  const log = new SimulatedLog({ scheduler, random, markerDelayMsMax: 0 });
  let opened = 0;
  const open = () => {
    opened += 1;
    const process = new SimulatedProcess({
      name: `p${opened}`,
      random: random.fork(`p${opened}`),
      scheduler,
    });
    const limits = { recordsMax: 1_000, bytesMax: 1024 * 1024, pauseMsMax: () => 0 };
    return new SimulatedTopicIo({ log, network, process, limits });
  };
  let io = open();
  let isRunning = true;
  const running = (async () => {
    while (isRunning) {
      const until = scheduler.ran + EVENTS_PER_TURN;
      await scheduler.run(() => scheduler.ran >= until);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  })();
  return {
    io,
    sharesStay: false,
    async reopen() {
      await io[Symbol.asyncDispose]();
      io = open();
      return io;
    },
    async dispose() {
      await io[Symbol.asyncDispose]();
      isRunning = false;
      await running;
    },
  };
});
