import { readFileSync } from 'node:fs';
import { ROLES, type Role } from '@runlog/schema/log/rights';
import { COMPRESSIONS } from '@runlog/topic-io/compression';
import { messageOf } from '@runlog/topic-io/error-message';
import { type Command, type ExitCode, exitCodes, parseCommandLine, UsageError } from '../command.ts';
import type { Checkup } from '../doctor/checkup.ts';
import { checkConfiguration } from '../doctor/configuration.ts';
import { examineEmbedded } from '../doctor/embedded-doctor.ts';
import { type Finding, findingsOf, type Report, reportOf } from '../doctor/finding.ts';
import { examineKafka } from '../doctor/kafka-doctor.ts';
import { checkKeysFile } from '../doctor/keys.ts';
import { reportText } from '../doctor/report-text.ts';
import { runlogVersions } from '../doctor/versions.ts';
import { logAccessVariables } from '../log/log-access.ts';
import { createProgress } from '../progress.ts';
import { stopSignal } from '../stop-signal.ts';

const options = {
  role: { type: 'string', value: 'ROLE', help: `whose rights to look at: ${ROLES.join(', ')} (up)` },
  'no-probe': { type: 'boolean', help: 'make no throw-away topic' },
  json: { type: 'boolean', help: 'one JSON document' },
} as const;

export const command: Command = {
  usage: '[options]',
  description:
    'Looks at everything that runlog stands on, and says what is wrong with it and what mends it: the configuration, each broker address, versions, topics and their settings, permissions, clocks, codecs, the keys file, open transactions. Then it makes a throw-away topic (runlog-doctor-…, behind RUNLOG_TOPIC_PREFIX), writes to it, commits transactions, has a writer fenced, reads everything back, and deletes it; where that is not allowed it is skipped. It carries on after a fault as far as it can, and changes nothing else. Run it as the user, and with the variables, of the service that it is about.\nExit code: 0 nothing has failed (warnings and what was skipped do not count), 1 something has, 2 the command line or the variables are wrong.',
  options,
  examples: [
    'KAFKA_BROKERS=kafka-1:9092,kafka-2:9092 runlog doctor',
    'runlog doctor --role ingest --no-probe',
    'runlog doctor --json',
  ],
  environment: [...logAccessVariables, ['RUNLOG_…', 'all others that the services read are looked at too']],
  worksUnread: true,
  run: async (args, env) => {
    const { values } = parseCommandLine(args, options);
    const role = roleOf(values.role);
    const findings: Finding[] = [];
    const { findings: ofConfiguration, log } = checkConfiguration(env);
    findings.push(...ofConfiguration, ...runlogVersions(build()), ...checkKeysFile(env.RUNLOG_KEYS_FILE));
    const signal = stopSignal();
    if (log === null) {
      findings.push(
        findingsOf('reachability').skipped('log', 'because the variables do not say which log is meant'),
      );
    } else {
      const progress = shownSteps();
      const checkup: Checkup = {
        ...{ log, role, logger: silentLogger, signal, step: progress.step },
        ...{ probes: values['no-probe'] !== true, partitionsAsked: askedPartitions(env) },
        compression: COMPRESSIONS.find((codec) => codec === env.RUNLOG_COMPRESSION) ?? 'none',
        add: (...more) => findings.push(...more),
      };
      try {
        await (log.engine === 'kafka' ? examineKafka(checkup) : examineEmbedded(checkup));
      } catch (error) {
        // What was found before is worth more than where it ended.
        const group = log.engine === 'kafka' ? 'reachability' : 'folder';
        findings.push(findingsOf(group).failed('doctor', messageOf(error)));
      } finally {
        progress.end();
      }
    }
    const report = reportOf(findings);
    process.stdout.write(values.json === true ? `${JSON.stringify(report, null, 2)}\n` : reportText(report));
    return signal.aborted ? exitCodes.failed : exitCodeOf(report);
  },
};

/** What a library says meanwhile is in the findings, or is of no use here. */
const silentLogger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function roleOf(given: string | undefined): Role {
  if (given === undefined) return 'up';
  const role = ROLES.find((one) => one === given);
  if (role === undefined) throw new UsageError(`--role must be one of ${ROLES.join(', ')} (is "${given}")`);
  return role;
}

function exitCodeOf({ ok, checks }: Report): ExitCode {
  const isMisread = checks.some(({ group, status }) => group === 'configuration' && status === 'failed');
  if (isMisread) return exitCodes.usage;
  return ok ? exitCodes.ok : exitCodes.failed;
}

/** Shows a person who waits for longer than a second what is being done. */
function shownSteps(): { step: (doing: string) => void; end: () => void } {
  if (!process.stderr.isTTY) return { step: () => {}, end: () => {} };
  const progress = createProgress({ stream: process.stderr, now: Date.now });
  let doing = '';
  const timer = setInterval(() => progress.update(() => `doctor: ${doing} …`), 500);
  return {
    step: (text) => {
      doing = text;
    },
    end: () => {
      clearInterval(timer);
      progress.end();
    },
  };
}

function askedPartitions(env: Readonly<NodeJS.ProcessEnv>): number | undefined {
  const text = env.RUNLOG_PARTITIONS ?? '';
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function build(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return String((manifest as { version: unknown }).version);
}
