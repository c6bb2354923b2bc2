import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import { listen } from '@runlog/service-kit/http-server';
import { openKeyFile } from '@runlog/service-kit/key-file';
import type { Running } from '@runlog/service-kit/lifecycle';
import { untilItSucceeds } from '@runlog/service-kit/retry';
import type { ServiceStart } from '@runlog/service-kit/run-service';
import { messageOf } from '@runlog/topic-io/error-message';
import { isPassing, type TopicIo } from '@runlog/topic-io/topic-io';
import type { IngestConfig } from './config.ts';
import { followLog } from './follow-log.ts';
import { createIngestServer, type IngestLimits } from './http-server.ts';
import { type OpenLog, prepareLog } from './open-log.ts';
import { createOutage } from './outage.ts';
import { within } from './within.ts';
import type { WorkerLink } from './workers/worker-link.ts';

const PING_MS_MAX = 3_000;
/** How long a stop waits for requests that are being answered. This is longer than `publish` waits for the log. */
const FINISH_MS_MAX = 12_000;
/** How long a stop waits for best-effort work. */
const LAST_MS_MAX = 2_000;

/**
 * Starts ingest over a log that is already open and that the caller closes. Rejects if it cannot listen or read its
 * keys. The topics are prepared in the background; a final refusal by the log goes to `fail`. Disposing finishes
 * requests that are in flight.
 */
export async function startIngest(
  options: ServiceStart<IngestConfig> & { limits?: Partial<IngestLimits>; link?: WorkerLink | undefined },
): Promise<Running> {
  const { config, io, logger, random } = options;
  const { now } = options.clock;
  const { compression } = config;
  if (compression !== 'none' && io.engine === 'embedded') {
    logger.warn(
      { compression },
      'RUNLOG_COMPRESSION has no effect: the embedded log stores events as they are',
    );
  }
  const outage = createOutage({ logger, now });
  const stop = new AbortController();
  let openLog: OpenLog | null = null;
  let waitsFor = 'the topics are not prepared yet';
  let inFlight = 0;
  let idle: (() => void) | null = null;
  let newerFold: number | null = null;

  const keys = config.keysFile === undefined ? null : await openKeyFile({ path: config.keysFile, logger });
  const server = createIngestServer({
    logger,
    now,
    random,
    keys,
    answeredHosts: config.answeredHosts,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    link: options.link,
    state: {
      openLog: () => openLog,
      closing: () => stop.signal.aborted,
      newerBuild: () => (newerFold === null ? null : { fold: newerFold, own_fold: FOLD_VERSION }),
      inFlight: (change) => {
        inFlight += change;
        if (inFlight === 0) idle?.();
      },
      notReadyBecause: async () => {
        if (stop.signal.aborted) return 'shutting down';
        if (openLog === null) return waitsFor;
        const fault = await pingFault(io);
        if (fault === null) outage.answered();
        return fault ?? outage.refusal;
      },
    },
  });

  let followed: Promise<void> = Promise.resolve();
  const prepare = async () => {
    let said = false;
    const opened = await untilItSucceeds(
      () =>
        prepareLog({ io, config: config.log, compression, newEpoch: options.newEpoch, outage, logger, now }),
      {
        signal: stop.signal,
        random,
        retryable: isPassing,
        onFailure: (error) => {
          waitsFor = `the topics are not prepared yet: ${messageOf(error)}`;
          if (!said) {
            logger.warn({ err: error }, 'the topics cannot be prepared yet; trying again in the background');
          }
          said = true;
        },
      },
    );
    if (stop.signal.aborted) return await opened.writer[Symbol.asyncDispose]();
    openLog = opened;
    if (said) logger.info({}, 'the topics are prepared');
    followed = followLog({
      ...{ io, topics: config.log.topics, meta: opened.meta, logger, sleep: options.clock.sleep },
      signal: stop.signal,
      onNewerFold: (fold) => {
        newerFold = fold;
      },
    }).catch((error: unknown) => {
      if (!stop.signal.aborted) options.fail(error);
    });
  };

  const listening = listen(server, { host: config.host, port: config.port });
  const url = await listening.catch(async (error: unknown) => {
    await keys?.[Symbol.asyncDispose]();
    throw error;
  });
  const prepared = prepare().catch((error: unknown) => {
    if (stop.signal.aborted) return;
    waitsFor = messageOf(error);
    options.fail(error);
  });
  const ready = prepared.then(() => {
    // A start that was refused or aborted is never ready.
    if (openLog === null) return new Promise<void>(() => undefined);
  });
  return {
    addresses: { ingest: url },
    ready,
    async [Symbol.asyncDispose]() {
      stop.abort();
      const finished = new Promise<void>((resolve) => {
        if (inFlight === 0) resolve();
        else idle = resolve;
      });
      await within(finished, FINISH_MS_MAX);
      const closed = server.close();
      if (inFlight > 0) server.server.closeAllConnections();
      await closed;
      await keys?.[Symbol.asyncDispose]();
      if (openLog === null) {
        await within(prepared, LAST_MS_MAX);
        return;
      }
      await within(openLog.rejectedTopic.settled(), LAST_MS_MAX);
      await within(followed, LAST_MS_MAX);
      await openLog.writer[Symbol.asyncDispose]();
    },
  };
}

async function pingFault(io: TopicIo): Promise<string | null> {
  try {
    const answered = await within(
      io.ping().then(() => true),
      PING_MS_MAX,
    );
    return answered === true ? null : 'the log did not answer a ping in time';
  } catch (error) {
    return `the log does not answer: ${messageOf(error)}`;
  }
}
