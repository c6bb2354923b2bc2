import { startAggregator } from '@runlog/aggregator/start-aggregator';
import { startGateway } from '@runlog/gateway/start-gateway';
import { startIngest } from '@runlog/ingest/start-ingest';
import { firstEventCommand } from '@runlog/schema/documents/first-event';
import {
  isPortTaken,
  type Running,
  runProcess,
  type ServiceContext,
  StartError,
} from '@runlog/service-kit/lifecycle';
import { openLog } from '@runlog/service-kit/log-config';
import { createLogger, type PinoLogger } from '@runlog/service-kit/logger';
import { warnOfUnreadVariables } from '@runlog/service-kit/misspelt-variables';
import { processResources } from '@runlog/service-kit/run-service';
import { standardOutput } from '@runlog/service-kit/standard-streams';
import { type Command, parseCommandLine } from '../command.ts';
import { sayWhichLog } from '../log/chosen-log.ts';
import { serveOwnerControl } from '../log/owner-control.ts';
import { rebuildOlderFold } from '../log/rebuild-older-fold.ts';
import { readUpConfig } from '../up-config.ts';

export const command: Command = {
  usage: '',
  description:
    'Runs ingest, aggregator and gateway in one process, over an embedded log in a local folder, or over Kafka if KAFKA_BROKERS is set. It prints one line when it is ready (JSON if stdout is not a terminal) and stops on Ctrl-C or SIGTERM without losing anything. If an earlier build wrote the snapshots of an embedded log with another version of the fold, it first rebuilds them, as "runlog rebuild" does.\nExit code: 0 stopped, 1 a port or the data folder is in use (stderr says which), 2 wrong configuration.',
  options: {},
  examples: [
    'runlog up',
    'RUNLOG_DATA_DIR=/var/lib/runlog runlog up',
    'KAFKA_BROKERS=127.0.0.1:9092 runlog up',
    'RUNLOG_INGEST_PORT=0 RUNLOG_GATEWAY_PORT=0 RUNLOG_AGGREGATOR_PORT=0 runlog up',
  ],
  environment: [
    ['RUNLOG_DATA_DIR', 'folder of the embedded log (./.runlog)'],
    ['RUNLOG_INGEST_PORT, _HOST', 'where events are published (4000, 127.0.0.1); port 0: any free one'],
    ['RUNLOG_GATEWAY_PORT, _HOST', 'dashboard, REST and streams (8080, 127.0.0.1)'],
    ['RUNLOG_INGEST_URL', 'where the page says that events are published (the address of ingest here)'],
    ['RUNLOG_AGGREGATOR_PORT, _HOST', 'health and metrics (4001, 127.0.0.1)'],
    [
      'RUNLOG_KEYS_FILE',
      'who may publish and view ("runlog keys"); required for addresses other than loopback',
    ],
    ['RUNLOG_OPEN', 'true: allow addresses other than loopback without keys'],
    ['RUNLOG_ALLOWED_ORIGINS', 'origins of other web pages that may open streams'],
    ['KAFKA_BROKERS', 'use Kafka; also KAFKA_SSL…, KAFKA_SASL_… (docs/operations.md)'],
    ['RUNLOG_ENGINE', 'embedded or kafka (default: kafka if KAFKA_BROKERS is set)'],
    ['RUNLOG_COMPRESSION', 'compression of events on Kafka: none, gzip, snappy, lz4 or zstd (none)'],
    ['RUNLOG_TOPIC_PREFIX', 'prefix of every topic name'],
    ['RUNLOG_PARTITIONS', 'for creating topics (4 embedded, 12 on Kafka)'],
    ['RUNLOG_REPLICATION_FACTOR', 'for creating topics (3; 1 on a single broker)'],
    ['RUNLOG_EVENT_RETENTION_HOURS', 'how long events are kept (720)'],
    ['RUNLOG_RUN_RETENTION_HOURS', 'how long a silent run is kept (720)'],
    ['RUNLOG_SNAPSHOT_INTERVAL_MS', 'shortest time between two snapshots of a run (2000)'],
    ['RUNLOG_SNAPSHOT_BYTES_PER_SECOND', 'budget of all snapshots (16 MiB)'],
    ['RUNLOG_LOG_LEVEL', 'trace, debug, info, warn, error, fatal or silent (info)'],
  ],
  worksUnread: true,
  run: async (args, env) => {
    parseCommandLine(args, {});
    let logger = createLogger({ service: 'runlog', level: 'info' });
    await runProcess(
      () => logger,
      async (context) => {
        warnOfUnreadVariables(env, logger);
        const config = readUpConfig(env);
        logger = createLogger({ service: 'runlog', level: config.log.logLevel });
        await sayWhichLog(config.log);
        return startAll(config, { context, logger });
      },
    );
    // Signals end the process from here on.
    return new Promise(() => undefined);
  },
};

type UpConfig = ReturnType<typeof readUpConfig>;

/**
 * Starts gateway and aggregator first, so that what ingest accepts is seen at once. Stopping goes in the opposite
 * order.
 */
async function startAll(
  config: UpConfig,
  use: { context: ServiceContext; logger: PinoLogger },
): Promise<Running> {
  const loggerOf = (service: string) => createLogger({ service, level: config.log.logLevel });
  const started: AsyncDisposable[] = [];
  const stopAll = async () => {
    const faults: unknown[] = [];
    while (started.length > 0) {
      try {
        await started.pop()![Symbol.asyncDispose]();
      } catch (error) {
        faults.push(error);
      }
    }
    if (faults.length > 0) throw new AggregateError(faults, 'not everything could be stopped cleanly');
  };
  try {
    const io = await openLog(config.log, { clientId: 'runlog-up', logger: use.logger });
    started.push(io);
    // On Kafka other processes may still work with the former snapshots, so an operator decides when to rebuild.
    if (config.log.engine === 'embedded') {
      await rebuildOlderFold(io, { config: config.log, logger: use.logger });
    }
    const shared = { io, fail: use.context.fail, ...processResources };
    let ingestUrl: string | null = null;
    const gateway = await listening('RUNLOG_GATEWAY_PORT', () =>
      startGateway({
        ...{ config: config.gateway, logger: loggerOf('gateway'), ...shared },
        ingestUrl: () => ingestUrl,
      }),
    );
    started.push(gateway);
    const aggregator = await listening('RUNLOG_AGGREGATOR_PORT', () =>
      startAggregator({ config: config.aggregator, logger: loggerOf('aggregator'), ...shared }),
    );
    started.push(aggregator);
    const ingest = await listening('RUNLOG_INGEST_PORT', () =>
      startIngest({ config: config.ingest, logger: loggerOf('ingest'), ...shared }),
    );
    started.push(ingest);
    ingestUrl = ingest.addresses.ingest!;
    if (config.log.engine === 'embedded') {
      started.push(await serveOwnerControl({ io, config: config.log, logger: use.logger }));
    }
    const addresses = { ...ingest.addresses, ...gateway.addresses, ...aggregator.addresses };
    const ready = Promise.all([gateway.ready, aggregator.ready, ingest.ready]).then(() => {
      standardOutput('stderr').write(banner({ ingest: addresses.ingest!, gateway: addresses.gateway! }));
    });
    return { addresses, ready, [Symbol.asyncDispose]: stopAll };
  } catch (error) {
    await stopAll().catch((fault: unknown) => use.logger.warn({ err: fault }, 'stopping failed'));
    throw error;
  }
}

async function listening(variable: string, start: () => Promise<Running>): Promise<Running> {
  try {
    return await start();
  } catch (error) {
    if (!isPortTaken(error)) throw error;
    throw new StartError(
      `port ${error.port} on ${error.address} is in use (is runlog running already?); set ${variable} to another port, 0 for any free one`,
      { cause: error },
    );
  }
}

function banner(addresses: { ingest: string; gateway: string }): string {
  const lines = [
    '',
    `  dashboard   ${addresses.gateway}`,
    `  ingest      ${addresses.ingest}/v1/events`,
    '',
    '  Send an event:',
    ...firstEventCommand(addresses.ingest)
      .split('\n')
      .map((line) => `    ${line}`),
    '  Or believable training runs, from another terminal:',
    `    ${addresses.ingest === 'http://127.0.0.1:4000' ? '' : `RUNLOG_INGEST_URL=${addresses.ingest} `}npx runlog simulate`,
    '',
    '',
  ];
  return lines.join('\n');
}
