import type { NewestBatch } from '@runlog/topic-io/kafka/newest-batches';
import { judgeBatches, judgeCompressionType, judgeLibraries } from './codecs.ts';
import type { Examination } from './examination.ts';
import { findingsOf, type Group } from './finding.ts';
import type { KnownTopics } from './kafka-topics.ts';
import { judgeTransactions } from './transactions.ts';

/** More partitions than these are not looked into. */
const PARTITIONS_MAX = 100;
/** So many are asked for at a time. */
const AT_A_TIME = 8;

type Guard = <T>(group: Group, work: () => Promise<T>) => Promise<T | null>;

/** Looks into the events topic: how its newest batches are compressed, and who holds back what. */
export async function examineContents(of: Examination, known: KnownTopics, guard: Guard): Promise<void> {
  const { checkup, inspector, io } = of;
  const { log, step, add, compression } = checkup;
  const topic = log.topics.events;
  add(...judgeLibraries(compression, 'kafka'));
  for (const found of known.facts) {
    if (found.kind === 'found')
      add(...judgeCompressionType(found.name, found.settings?.['compression.type']));
  }
  const events = known.facts.find(({ name }) => name === topic);
  if (events?.kind !== 'found') {
    const because = `because ${topic} cannot be looked into`;
    add(findingsOf('codecs').skipped(topic, because), findingsOf('transactions').skipped(topic, because));
    return;
  }
  const led = events.partitions.filter(({ leader }) => leader !== null && of.nodes.has(leader));
  const partitions = led.slice(0, PARTITIONS_MAX).map(({ partition }) => partition);
  const left = events.partitions.length - partitions.length;
  if (left > 0) {
    const why = `${left} of its partitions are not looked into: more than ${PARTITIONS_MAX}, or led by nobody who answers`;
    add(findingsOf('codecs').skipped(`${topic}: partitions`, why));
  }
  await guard('codecs', async () => {
    step(`looking at the newest batches of ${topic}`);
    const batches = await each(partitions, (partition) => inspector.newestBatch({ topic, partition }));
    add(
      ...judgeBatches(
        topic,
        batches.filter((batch): batch is NewestBatch => batch !== null),
      ),
    );
  });
  await guard('transactions', async () => {
    step(`looking for open transactions on ${topic}`);
    const held = await each(partitions, async (partition) => {
      const [oldest] = await io.openTransactions({ topic, partition });
      return oldest === undefined ? null : { topic, partition, ...oldest };
    });
    const found = held.filter((one) => one !== null);
    add(...judgeTransactions(found, { topic, partitions: partitions.length, nowMs: Date.now() }));
  });
}

async function each<In, Out>(items: readonly In[], work: (item: In) => Promise<Out>): Promise<Out[]> {
  const done: Out[] = [];
  for (let at = 0; at < items.length; at += AT_A_TIME) {
    done.push(...(await Promise.all(items.slice(at, at + AT_A_TIME).map(work))));
  }
  return done;
}
