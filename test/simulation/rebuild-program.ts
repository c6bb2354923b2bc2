import { type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import type { Build } from './build.ts';
import { changedRecords } from './changed-io.ts';
import type { Program } from './service.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import type { World } from './world.ts';

const UNPREPARED_MS = 200;

/** Runs `runlog rebuild`, and starts it again after a passing fault until it has done its work or refuses to. */
export class RebuildProgram implements Program {
  outcome: 'under way' | 'done' | { readonly refused: string } = 'under way';

  constructor(
    world: World,
    options: {
      build: Build;
      process: SimulatedProcess;
      /** Whether it finds the former snapshots wrong, so that a new epoch begins. */
      distrusts: boolean;
      dropOld: boolean;
      fail: (error: unknown) => void;
    },
  ) {
    const { build, process, distrusts, dropOld, fail } = options;
    const { topics, scheduler } = world;
    const io = world.openLog(process, 'rebuild');
    const work = async () => {
      while (world.oracle.meta === null) {
        await process.clock.sleep(UNPREPARED_MS, new AbortController().signal);
      }
      const report = await build.rebuild({
        ...{ io: distrusts ? defaced(io) : io, topics, replicationFactor: 1, clock: process.clock, dropOld },
        newEpoch: () => {
          const isKept = (world.mutations.keepsEpoch ?? false) && !distrusts;
          return isKept ? world.oracle.meta!.epoch : `epoch-of-${process.name}`;
        },
        logger: world.logger(process),
        signal: new AbortController().signal,
        onProgress: () => undefined,
      });
      world.note(() => `${process.name} is done: ${JSON.stringify(report.meta)}`);
      this.outcome = 'done';
    };
    work().catch((error: unknown) => {
      if (error instanceof TopicIoError && (error.code === 'unusable' || error.code === 'fenced')) {
        world.note(() => `${process.name} gives up: ${error.message}`);
        this.outcome = { refused: error.message };
      } else if (error instanceof TopicIoError) scheduler.after(0, () => fail(error), process);
      else world.fail(error);
    });
  }

  async stop(): Promise<void> {}
}

/** Returns a log whose former snapshots differ a little from what a fold gives. */
function defaced(io: TopicIo): TopicIo {
  return changedRecords(io, {
    of: (topic) => topic.startsWith('run-snapshots'),
    change: (records) =>
      records.map((record) =>
        record.value === null || record.key.startsWith('#')
          ? record
          : { ...record, value: Buffer.concat([record.value, Buffer.from(' ')]) },
      ),
  });
}
