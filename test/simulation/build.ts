import { Aggregation } from '@runlog/aggregator/aggregate';
import { rebuild } from '@runlog/aggregator/rebuild';
import { Feed } from '@runlog/gateway/read/feed';
import { metaChange } from '@runlog/run-feed/follow-meta';
import { prepareTopics } from '@runlog/run-feed/prepare-topics';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import * as topicIo from '@runlog/topic-io/topic-io';
import { vi } from 'vitest';

/** The program that a process runs: this source, or the same with a newer fold. */
export interface Build {
  readonly fold: number;
  readonly Aggregation: typeof Aggregation;
  readonly Feed: typeof Feed;
  readonly metaChange: typeof metaChange;
  readonly prepareTopics: typeof prepareTopics;
  readonly rebuild: typeof rebuild;
}

export const thisBuild: Build = {
  ...{ fold: FOLD_VERSION, Aggregation, Feed, metaChange, prepareTopics, rebuild },
};

/**
 * The newer fold begins this counter here. No event of a history changes it, so every state of the two folds differs in
 * it.
 */
export const NEWER_PRUNED = 1_000;

let newer: Promise<Build> | null = null;

/** Loads this source once more, as a build of the next fold version. */
export function newerBuild(): Promise<Build> {
  newer ??= load();
  return newer;
}

async function load(): Promise<Build> {
  const fold = FOLD_VERSION + 1;
  vi.resetModules();
  // Both builds share the log's module, so that they recognise its faults.
  vi.doMock('@runlog/topic-io/topic-io', () => topicIo);
  vi.doMock('@runlog/schema/run/snapshot', async (original) => ({
    ...(await original<object>()),
    FOLD_VERSION: fold,
  }));
  vi.doMock('@runlog/run-state/initial-run', async (original) => {
    const { initialRun } = await original<typeof import('@runlog/run-state/initial-run')>();
    return {
      initialRun: (run: Parameters<typeof initialRun>[0]) => ({
        ...initialRun(run),
        cumulative_pruned: NEWER_PRUNED,
      }),
    };
  });
  const [aggregate, rebuilding, feed, follow, prepare] = await Promise.all([
    import('@runlog/aggregator/aggregate'),
    import('@runlog/aggregator/rebuild'),
    import('@runlog/gateway/read/feed'),
    import('@runlog/run-feed/follow-meta'),
    import('@runlog/run-feed/prepare-topics'),
  ]);
  vi.doUnmock('@runlog/topic-io/topic-io');
  vi.doUnmock('@runlog/schema/run/snapshot');
  vi.doUnmock('@runlog/run-state/initial-run');
  return {
    fold,
    Aggregation: aggregate.Aggregation,
    Feed: feed.Feed,
    metaChange: follow.metaChange,
    prepareTopics: prepare.prepareTopics,
    rebuild: rebuilding.rebuild,
  };
}
