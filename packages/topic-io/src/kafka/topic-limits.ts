import { TopicIoError } from '../topic-io.ts';
import { alterCommand, type BatchBound, batchBoundOf } from '../topic-settings.ts';
import { BOUNDS } from './config.ts';
import { errorName } from './error-names.ts';
import { KAFKA, toKafkaFault } from './faults.ts';
import { explainTimestamp, isInvalidTimestamp } from './invalid-timestamp.ts';
import type { KafkaSession } from './session.ts';
import { readSettings } from './topics.ts';

interface Limit extends BatchBound {
  /** Null if they could not be read. */
  readonly settings: Readonly<Record<string, string>> | null;
  readonly readMs: number;
}

/**
 * How large a batch the topics take. Their settings may be smaller than those that runlog creates topics with, and may
 * change while it runs. What is known here only makes refusals rare: the broker is the judge of each batch.
 */
export class TopicLimits {
  readonly #session: KafkaSession;
  /** One for each topic that is written to. */
  readonly #known = new Map<string, Limit>();
  readonly #reading = new Map<string, Promise<Limit>>();

  /** Settings are asked for through the session, which therefore must not be busy with requests that take long. */
  constructor(session: KafkaSession) {
    this.#session = session;
  }

  /** Resolves to the bytes that a batch may have. Waits for an answer only if nothing is known of the topic yet. */
  async batchBytesMax(topic: string): Promise<number> {
    const known = this.#known.get(topic);
    if (known === undefined) return (await this.#read(topic)).bytesMax;
    if (performance.now() - known.readMs > BOUNDS.metadataAgeMs) void this.#read(topic);
    return known.bytesMax;
  }

  /** Is told that the broker refused a batch of several records. Resolves when smaller ones are known to be due. */
  async refused(topic: string, batchBytes: number): Promise<void> {
    const limit = await this.#read(topic);
    if (limit.bytesMax < batchBytes) return;
    // The settings cannot be read, or the broker judges what it made of the batch: it may store it uncompressed.
    const bytesMax = Math.floor(batchBytes / 2);
    this.#known.set(topic, { ...limit, bytesMax });
  }

  /** Returns the fault with its explanation if it is one that the topic's settings explain, or else as it is. */
  async explained(fault: TopicIoError, of: { topic: string; timestampMs: number }): Promise<TopicIoError> {
    if (fault.code !== 'unusable' || !isInvalidTimestamp(fault.cause)) return fault;
    const { settings } = await this.#read(of.topic);
    const message = explainTimestamp({ ...of, settings, said: fault.message });
    return new TopicIoError('unusable', message, { cause: fault.cause });
  }

  /** Returns the fault of a record that the broker refused although it was alone in its batch. */
  async fault(of: { topic: string; recordBytes: number; cause: unknown }): Promise<TopicIoError> {
    const { topic, recordBytes, cause } = of;
    const { setting, bytesMax } = await this.#read(topic);
    const name = errorName(toKafkaFault(cause).code ?? KAFKA.messageTooLarge);
    const said = setting === null ? '' : `, whose ${setting} is ${bytesMax}`;
    const raised = { [setting ?? 'max.message.bytes']: String(BOUNDS.messageBytes) };
    const message =
      `a record of ${recordBytes} bytes is too large for the topic ${topic}${said} (${name}); to have it taken: ` +
      alterCommand(topic, raised);
    return new TopicIoError('too_large', message, { cause });
  }

  /** Never rejects: a limit that cannot be read is taken for the usual one until it is asked for again. */
  #read(topic: string): Promise<Limit> {
    let reading = this.#reading.get(topic);
    if (reading === undefined) {
      reading = this.#ask(topic)
        .then((limit) => {
          this.#known.set(topic, limit);
          return limit;
        })
        .finally(() => this.#reading.delete(topic));
      this.#reading.set(topic, reading);
    }
    return reading;
  }

  async #ask(topic: string): Promise<Limit> {
    const options = { doing: `read the settings of ${topic}`, timeoutMs: BOUNDS.limitsMs };
    let settings: Readonly<Record<string, string>> | null = null;
    try {
      settings = await this.#session.attempt(options, async () => {
        try {
          return await readSettings(this.#session, topic);
        } catch (error) {
          // An answer, such as that this is not for us to know, does not change with another try.
          if (toKafkaFault(error).code !== null) return null;
          throw error;
        }
      });
    } catch {
      // No broker answered. The append itself will say so.
    }
    return { ...batchBoundOf(settings ?? {}), settings, readMs: performance.now() };
  }
}
