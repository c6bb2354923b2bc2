import { printableJson } from '@runlog/service-kit/printable';
import { type Command, exitCodes, parseCommandLine, wholeNumber } from '../command.ts';
import { entriesText } from '../entry-text.ts';
import { runText } from '../run-text.ts';
import { gatewayVariables, readClientConfig } from '../services/client-config.ts';
import { getRun, runPage } from '../services/gateway-client.ts';
import { noSuchRun, selectRun } from '../services/run-selection.ts';

const options = {
  entries: { type: 'string', value: 'N', help: 'number of newest entries of the event log (default: 20)' },
  milestones: { type: 'boolean', help: 'only seeds, PPO updates and batches; these reach further back' },
  json: { type: 'boolean', help: 'the whole snapshot as JSON' },
  url: { type: 'string', value: 'URL', help: 'address of the gateway; overrides RUNLOG_GATEWAY_URL' },
} as const;

export const command: Command = {
  usage: 'RUN [options]',
  description:
    'Shows one run: how it stands, why it ended, whether every event arrived, and the end of its event log. RUN is cluster/run/group, cluster/run, or only the name if no other run has it.',
  options,
  examples: ['runlog show run-7', 'runlog show c1/run-7/A --milestones', 'runlog show c1/run-7 --json'],
  environment: gatewayVariables,
  run: async (args, env) => {
    const { values, positionals } = parseCommandLine(args, options, { argumentsMax: 1 });
    const target = readClientConfig(env, { gatewayUrl: values.url });
    const entries = wholeNumber({ name: 'entries', text: values.entries, fallback: 20, min: 0, max: 100 });
    const key = await selectRun(positionals[0], target);
    const snapshot = await getRun(target, key);
    if (snapshot === null) throw noSuchRun(key);
    if (values.json === true) {
      process.stdout.write(`${printableJson(JSON.stringify(snapshot, null, 2))}\n`);
    } else {
      const listed = values.milestones === true ? snapshot.milestones : snapshot.event_log;
      const newest = entries === 0 ? [] : listed.slice(-entries);
      process.stdout.write(`${runText(snapshot, Date.now())}\n  ${runPage(target, key)}\n`);
      if (newest.length > 0) process.stdout.write(`\n${entriesText(newest)}\n`);
    }
    return exitCodes.ok;
  },
};
