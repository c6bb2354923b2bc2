import { parseRunKey } from '@runlog/schema/run/run-key';
import { type Command, exitCodes, parseCommandLine, UsageError } from '../command.ts';
import { logAccessVariables, namedLogHelp } from '../log/log-access.ts';
import { haveDone } from '../log/with-owner.ts';

const options = {
  json: { type: 'boolean', help: 'one JSON line a run' },
} as const;

export const command: Command = {
  usage: 'RUN… [options]',
  description: `Deletes runs, each named in full (cluster/run/group). It appends a control record to the events topic, which every reader folds to "absent"; viewers are told, and its snapshot and figures are removed. The events themselves stay until retention deletes them. A later event starts the run anew. The command can be repeated. ${namedLogHelp}\nExit code: 0 all were deleted, 1 a run does not exist or the log refused, 2 wrong arguments, or no log was named, 3 the log cannot be reached.`,
  options,
  examples: [
    'RUNLOG_DATA_DIR=./.runlog runlog delete local/run-7/default',
    'KAFKA_BROKERS=127.0.0.1:9092 runlog delete c1/r1/A c1/r1/B',
  ],
  environment: logAccessVariables,
  worksUnread: true,
  run: async (args, env) => {
    const { values, positionals } = parseCommandLine(args, options, {
      argumentsMax: Number.POSITIVE_INFINITY,
    });
    if (positionals.length === 0) throw new UsageError('name the runs, such as local/run-7/default');
    for (const key of positionals) {
      if (parseRunKey(key) === null) throw new UsageError(`"${key}" is not a run: write cluster/run/group`);
    }
    const result = await haveDone({ work: 'delete', keys: positionals }, { args, env });
    if (result.work !== 'delete') throw new Error('the owner answered another question');
    for (const deletion of result.deletions) {
      const text = deletion.deleted
        ? `${deletion.key}: deleted (control record at ${deletion.partition}:${deletion.offset})`
        : `${deletion.key}: there is no such run`;
      process.stdout.write(`${values.json === true ? JSON.stringify(deletion) : text}\n`);
    }
    return result.deletions.every(({ deleted }) => deleted) ? exitCodes.ok : exitCodes.failed;
  },
};
