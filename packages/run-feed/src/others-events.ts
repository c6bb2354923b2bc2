import type { TopicNames } from '@runlog/schema/log/topics';
import { type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { othersEvents, readMeta } from './prepare-topics.ts';

const CHECK_MS = 10_000;

/**
 * Resolves with the reason to end when the events topic is made anew while this process runs, or with null on abort. A reader
 * may not notice it: its position can lie within the new topic, if that has grown or this process was asleep.
 */
export async function othersEventsAppeared(options: {
  io: TopicIo;
  topics: TopicNames;
  /** Resolves after the time or on abort. */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  signal: AbortSignal;
}): Promise<TopicIoError | null> {
  const { io, topics, signal } = options;
  let known: string | undefined;
  while (!signal.aborted) {
    await options.sleep(CHECK_MS, signal);
    if (signal.aborted) break;
    try {
      const events = await io.describeTopic(topics.events);
      if (events?.id === undefined || events.id === known) continue;
      const meta = await readMeta(io, topics, signal);
      const refusal = meta === null ? null : othersEvents(meta, events);
      if (refusal !== null) return signal.aborted ? null : refusal;
      known = events.id;
    } catch (error) {
      // Those who work with the log say what is wrong with it. A broken `run-meta` stops no service that runs.
      if (!(error instanceof TopicIoError) && !signal.aborted) throw error;
    }
  }
  return null;
}
