import { type TopicDescription, TopicIoError, type TopicSpec } from '../topic-io.ts';
import type { Committer } from './committer.ts';
import { partitionsMax } from './records.ts';
import { boundsKey, metaKey, metaKeys, readMeta, type Stage, type StoredTopic } from './stage.ts';
import type { EmbeddedStore } from './store.ts';

const messageBytesDefault = 1_048_588;

/** The topics of a log. An owner remembers them; a process that reads beside it looks them up every time. */
export class TopicCatalog {
  readonly #store: EmbeddedStore;
  readonly #remember: boolean;
  readonly #known = new Map<string, StoredTopic>();

  constructor(options: { store: EmbeddedStore; remember: boolean }) {
    this.#store = options.store;
    this.#remember = options.remember;
  }

  find(name: string): StoredTopic | null {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const topic = parseTopic(readMeta(this.#store, metaKeys.topic(name)));
    if (topic !== null && this.#remember) this.#known.set(name, topic);
    return topic;
  }

  /** Finds the topic as staged so far, or else as stored. */
  findStaged(stage: Stage, name: string): StoredTopic | null {
    return stage.changedTopics.has(name) ? parseTopic(stage.meta(metaKeys.topic(name))) : this.find(name);
  }

  forget(names: ReadonlySet<string>): void {
    for (const name of names) this.#known.delete(name);
  }

  all(): StoredTopic[] {
    const start = metaKey(metaKeys.topics);
    const topics: StoredTopic[] = [];
    for (const { value } of this.#store.meta.getRange({ start, end: after(start) })) {
      const topic = parseTopic(value);
      if (topic !== null) topics.push(topic);
    }
    return topics;
  }

  async ensure(committer: Committer, specs: readonly TopicSpec[]): Promise<TopicDescription[]> {
    for (const spec of specs) checkSpec(spec);
    const topics = await committer.write((stage) =>
      specs.map((spec) => this.findStaged(stage, spec.name) ?? createTopic(stage, spec)),
    );
    return topics.map(describeTopic);
  }

  async remove(committer: Committer, { name, id }: { name: string; id?: string | undefined }): Promise<void> {
    const stageRemoval = (stage: Stage): void => {
      const topic = this.findStaged(stage, name);
      if (topic === null || (id !== undefined && id !== String(topic.id))) return;
      stage.setMeta(metaKeys.topic(name), null);
      stage.setMeta(metaKeys.trash(topic.id), encodeJson({ id: topic.id }));
      for (let partition = 0; partition < topic.partitions; partition += 1) {
        stage.changes.push({
          database: this.#store.bounds,
          key: boundsKey(topic.id, partition),
          value: null,
        });
      }
      stage.touchedTopics.add(name);
      stage.changedTopics.add(name);
    };
    // Deleting makes room in the end, so it must work on a full disk.
    await committer.write(stageRemoval, { freeing: true });
  }
}

export function describeTopic(topic: StoredTopic): TopicDescription {
  const { id, name, partitions, settings, cleanupPolicy } = topic;
  return {
    name,
    // No id is used twice in a folder.
    id: String(id),
    partitions,
    replicationFactor: 1,
    settings: { ...settings, 'cleanup.policy': cleanupPolicy },
  };
}

/** Returns the most bytes that a record may have, as Kafka counts them or slightly more strictly. */
export function recordBytesMax(topic: StoredTopic): number {
  const setting = Number(topic.settings['max.message.bytes']);
  return Number.isInteger(setting) && setting > 0 ? setting : messageBytesDefault;
}

/** Throws the caller's error if the place does not exist. */
export function checkPlace(
  topic: StoredTopic | null,
  place: { topic: string; partition: number },
): StoredTopic {
  if (topic === null) throw new TopicIoError('unusable', `there is no topic ${place.topic}`);
  if (!Number.isInteger(place.partition) || place.partition < 0 || place.partition >= topic.partitions) {
    throw new TopicIoError('unusable', `topic ${place.topic} has no partition ${place.partition}`);
  }
  return topic;
}

/** Returns the first key after all keys that begin with the prefix. */
export function after(prefix: Buffer): Buffer {
  return Buffer.concat([prefix, Buffer.alloc(1, 0xff)]);
}

function createTopic(stage: Stage, spec: TopicSpec): StoredTopic {
  const id = decodeJson<number>(stage.meta(metaKeys.nextTopicId)) ?? 1;
  const { name, partitions, cleanupPolicy, settings } = spec;
  const topic: StoredTopic = { id, name, partitions, cleanupPolicy, settings };
  stage.setMeta(metaKeys.nextTopicId, encodeJson(id + 1));
  stage.setMeta(metaKeys.topic(name), encodeJson(topic));
  stage.touchedTopics.add(name);
  stage.changedTopics.add(name);
  return topic;
}

function checkSpec(spec: TopicSpec): void {
  metaKey(metaKeys.topic(spec.name));
  if (!Number.isInteger(spec.partitions) || spec.partitions < 1 || spec.partitions > partitionsMax) {
    throw new TopicIoError(
      'unusable',
      `topic ${spec.name}: ${spec.partitions} is not a possible number of partitions`,
    );
  }
}

function parseTopic(value: Buffer | null): StoredTopic | null {
  return decodeJson<StoredTopic>(value);
}

function decodeJson<T>(value: Buffer | null): T | null {
  return value === null ? null : (JSON.parse(value.toString()) as T);
}

function encodeJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
