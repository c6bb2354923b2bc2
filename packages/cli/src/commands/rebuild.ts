import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import { printable } from '@runlog/service-kit/printable';
import { type Command, exitCodes, parseCommandLine } from '../command.ts';
import { logAccessVariables, namedLogHelp } from '../log/log-access.ts';
import { unreadableLine } from '../log/unreadable-line.ts';
import { haveDone } from '../log/with-owner.ts';

const options = {
  'drop-old': { type: 'boolean', help: 'delete the former snapshot topic after the switch' },
  moved: {
    type: 'boolean',
    help: 'the events were copied from another cluster, with their offsets: judge by the records whether the former snapshots are theirs',
  },
  json: { type: 'boolean', help: 'the report as one JSON line' },
} as const;

const DIFFERENCES_LISTED_MAX = 100;

export const command: Command = {
  usage: '[options]',
  description: `Folds the events topic from its start and writes all snapshots and figures anew into the next topics (run-snapshots.v2 and run-figures.v2 …), then switches to them; running services follow by themselves. Runs that began before the oldest event in the topic go on from their former snapshots. The command reports every run whose former snapshot differed from the fold of the topic, unless an earlier version of the fold wrote them. A rebuild that was killed continues where it stopped when it is run again; a second rebuild takes over from the first. ${namedLogHelp}\nExit code: 0 switched, 1 not switched, 2 wrong arguments, or no log was named, 3 the log cannot be reached.`,
  options,
  examples: [
    'RUNLOG_DATA_DIR=./.runlog runlog rebuild',
    'KAFKA_BROKERS=127.0.0.1:9092 runlog rebuild --drop-old',
  ],
  environment: logAccessVariables,
  worksUnread: true,
  run: async (args, env) => {
    const { values } = parseCommandLine(args, options);
    const dropOld = values['drop-old'] === true;
    const isMoved = values.moved === true;
    const result = await haveDone({ work: 'rebuild', dropOld, isMoved, fold: FOLD_VERSION }, { args, env });
    if (result.work !== 'rebuild') throw new Error('the owner answered another question');
    const { meta, former, before, runs, kept, resumed } = result.report;
    if (values.json === true) {
      process.stdout.write(`${JSON.stringify(result.report)}\n`);
      return exitCodes.ok;
    }
    const differences = before?.differences ?? [];
    for (const { key, seq, message } of differences.slice(0, DIFFERENCES_LISTED_MAX)) {
      process.stdout.write(`${printable(`${key} at ${seq ?? '-'} was wrong: ${message}`)}\n`);
    }
    const more = differences.length - DIFFERENCES_LISTED_MAX;
    if (more > 0) process.stdout.write(`… and ${more} more\n`);
    for (const { partition, from, to } of before?.lost ?? []) {
      process.stdout.write(
        `partition ${partition}: ${to - from} records were deleted before they were folded (${from} to ${to - 1})\n`,
      );
    }
    const damaged = before?.unreadable.filter(({ isDamaged }) => isDamaged) ?? [];
    for (const batch of damaged.slice(0, DIFFERENCES_LISTED_MAX)) {
      process.stdout.write(`passed, though some may have read it before: ${unreadableLine(batch, batch)}\n`);
    }
    const compared =
      before === null
        ? `those of fold version ${former.fold} were not compared`
        : `${differences.length} were different before`;
    const epoch = meta.epoch === former.epoch ? 'the same epoch' : `a new epoch, ${meta.epoch}`;
    process.stdout.write(
      `${resumed ? 'resumed; ' : ''}${runs} runs written to ${meta.snapshots} (${kept} taken over), ` +
        `${compared}; switched from ${former.snapshots}, ${epoch}\n`,
    );
    return exitCodes.ok;
  },
};
