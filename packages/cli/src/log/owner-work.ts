import { type Deletion, deleteRun } from '@runlog/aggregator/delete-run';
import { type RebuildReport, rebuild } from '@runlog/aggregator/rebuild';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import { systemClock } from '@runlog/service-kit/clock';
import type { LogConfig } from '@runlog/service-kit/log-config';
import { processResources } from '@runlog/service-kit/run-service';
import type { Logger } from '@runlog/topic-io/logger';
import { type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { z } from 'zod';
import type { Finding } from '../doctor/finding.ts';
import { probe } from '../doctor/probe.ts';
import { requireMeta } from './log-access.ts';

/**
 * A command's request for work that writes to the log. It is done here, or in the process that owns an embedded log.
 */
export const ownerRequestSchema = z.discriminatedUnion('work', [
  z.object({ work: z.literal('delete'), keys: z.array(z.string()).min(1).max(10_000) }),
  z.object({
    work: z.literal('rebuild'),
    dropOld: z.boolean(),
    isMoved: z.boolean().default(false),
    /** The command's version of the fold. The owner must have the same. */
    fold: z.int(),
  }),
  /** The probe of "runlog doctor", with the name of its throw-away topic. */
  z.object({ work: z.literal('probe'), name: z.string().regex(/runlog-doctor-[0-9a-f-]{36}$/) }),
]);

export type OwnerRequest = z.infer<typeof ownerRequestSchema>;

export type OwnerResult =
  | { readonly work: 'delete'; readonly deletions: readonly Deletion[] }
  | { readonly work: 'rebuild'; readonly report: RebuildReport }
  | { readonly work: 'probe'; readonly findings: readonly Finding[] };

export interface OwnerProgress {
  readonly step: string;
  readonly done: number;
  readonly total: number;
}

export async function doOwnerWork(
  request: OwnerRequest,
  use: {
    io: TopicIo;
    config: LogConfig;
    logger: Logger;
    signal: AbortSignal;
    onProgress: (progress: OwnerProgress) => void;
  },
): Promise<OwnerResult> {
  const { io, config, logger, signal, onProgress } = use;
  const { topics } = config;
  switch (request.work) {
    case 'delete': {
      const meta = await requireMeta(io, config, 'delete');
      const deletions: Deletion[] = [];
      for (const key of request.keys) {
        signal.throwIfAborted();
        deletions.push(await deleteRun({ io, topics, meta, key, nowMs: systemClock.now() }));
        onProgress({ step: 'deleting', done: deletions.length, total: request.keys.length });
      }
      return { work: 'delete', deletions };
    }
    case 'rebuild': {
      await requireMeta(io, config, 'rebuild');
      if (request.fold !== FOLD_VERSION) {
        throw new TopicIoError(
          'unusable',
          `the process that owns ${config.dataFolder} has fold version ${FOLD_VERSION}, this command has ` +
            `${request.fold}: stop that process, then rebuild with the newer build`,
        );
      }
      const report = await rebuild({
        ...{ io, topics, logger, signal, clock: systemClock },
        dropOld: request.dropOld,
        isMoved: request.isMoved,
        replicationFactor: config.replicationFactor,
        topicConfig: config.topicConfig,
        newEpoch: processResources.newEpoch,
        onProgress: ({ step, events, eventsTotal }) => onProgress({ step, done: events, total: eventsTotal }),
      });
      return { work: 'rebuild', report };
    }
    case 'probe': {
      const { findings } = await probe({
        ...{ io, name: request.name, partitions: 2, deletion: null, rights: [], signal },
        ...{ now: systemClock.now, step: (step) => onProgress({ step, done: 0, total: 0 }) },
      });
      return { work: 'probe', findings };
    }
    default: {
      const unreachable: never = request;
      throw new Error(`unknown work ${JSON.stringify(unreachable)}`);
    }
  }
}
