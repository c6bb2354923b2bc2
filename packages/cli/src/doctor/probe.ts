import { readToEnd } from '@runlog/run-feed/read-to-end';
import type { Compression } from '@runlog/topic-io/compression';
import { messageOf } from '@runlog/topic-io/error-message';
import { type RecordToAppend, type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { type ClockReading, clockSamples, type SentRecord } from './clock.ts';
import { type Finding, findingsOf } from './finding.ts';
import { stepWithinMs } from './time-limit.ts';

const { ok, failed, skipped } = findingsOf('probe');

const STEP_MS = 30_000;
const DELETE_MS = 15_000;
const SENT_TO_EACH = 3;
const HOUR_MS = 3_600_000;

export interface ProbeOptions {
  readonly io: TopicIo;
  /** The name of the throw-away topic and of the transactional id. Nobody else has it. */
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor?: number | undefined;
  readonly compression?: Compression | undefined;
  /** What an administrator types if the topic could not be deleted; null if there is no such command. */
  readonly deletion: string | null;
  /** What gives the rights that the probe needs. */
  readonly rights: readonly string[];
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly step: (doing: string) => void;
  /** Is called when the topic is there. */
  readonly onCreated?: () => Promise<void>;
}

export interface Probed {
  readonly findings: readonly Finding[];
  /** Is empty if the log does not tell its own time. */
  readonly clocks: readonly ClockReading[];
}

/**
 * Makes a throw-away topic, writes, commits a transaction, has a second writer fence the first, and reads everything back.
 * The topic is deleted however that ends. Never rejects.
 */
export async function probe(options: ProbeOptions): Promise<Probed> {
  const run = new ProbeRun(options);
  try {
    await run.run();
  } catch (error) {
    run.findings.push(run.ended(error));
  }
  if (run.mayExist) run.findings.push(await run.remove());
  return run;
}

class ProbeRun implements Probed {
  readonly findings: Finding[] = [];
  clocks: readonly ClockReading[] = [];
  /** Whether the topic was, or may have been, made. */
  mayExist = false;
  readonly #options: ProbeOptions;
  readonly #partitions: readonly number[];
  /** The keys of the records that a reader must find, each once. */
  readonly #due = new Set<string>();
  readonly #sent: SentRecord[] = [];
  #doing = 'create';

  constructor(options: ProbeOptions) {
    this.#options = options;
    this.#partitions = Array.from({ length: options.partitions }, (_, partition) => partition);
  }

  async run(): Promise<void> {
    await this.#step('create', () => this.#create());
    await this.#step('write', () => this.#write());
    await this.#step('transact', () => this.#transact()).catch((error: unknown) => {
      if (!isRefusal(error) || this.#options.signal.aborted) throw error;
      // What was written without a transaction can be read nevertheless.
      this.findings.push(this.ended(error));
    });
    await this.#step('read', () => this.#read());
  }

  /** Says why a step was the last one. What is not allowed is no fault. */
  ended(error: unknown): Finding {
    const { signal, rights } = this.#options;
    if (signal.aborted) return skipped(this.#doing, 'because a signal ended it');
    const message = messageOf(error);
    if (isRefusal(error)) {
      const remedy = rights.length === 0 ? {} : { remedy: [...rights] };
      return skipped(this.#doing, `because it is not allowed: ${message}`, remedy);
    }
    return failed(this.#doing, message);
  }

  async remove(): Promise<Finding> {
    const { io, name, deletion, step } = this.#options;
    step(`deleting ${name}`);
    try {
      await stepWithinMs(DELETE_MS, `delete ${name}`, io.deleteTopic(name));
      return ok('delete', `${name} is deleted`);
    } catch (error) {
      const remedy = deletion === null ? {} : { remedy: [deletion] };
      return failed('delete', `${name} may be left over: ${messageOf(error)}`, remedy);
    }
  }

  async #step(name: string, work: () => Promise<string>): Promise<void> {
    const { signal, step } = this.#options;
    this.#doing = name;
    signal.throwIfAborted();
    step(`probe: ${name}`);
    const stopped = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    stopped.catch(() => undefined);
    const done = stepWithinMs(STEP_MS, name, work());
    // A topic that is being made has to be there before it can be deleted.
    const message = await (name === 'create' ? done : Promise.race([done, stopped]));
    this.findings.push(ok(name, message));
  }

  async #create(): Promise<string> {
    const { io, name, partitions, replicationFactor } = this.#options;
    this.mayExist = true;
    try {
      const settings = {
        ...{ 'retention.ms': String(HOUR_MS), 'min.insync.replicas': '2' },
        // The broker then dates each record by its own clock.
        'message.timestamp.type': 'LogAppendTime',
      };
      const spec = { name, partitions, replicationFactor, cleanupPolicy: 'delete', settings } as const;
      await io.ensureTopics([{ ...spec, needs: ['read', 'write'] }]);
    } catch (error) {
      this.mayExist = !isRefusal(error);
      throw error;
    }
    await this.#options.onCreated?.();
    return `${name} is made, ${partitions === 1 ? '1 partition' : `${partitions} partitions`}`;
  }

  async #write(): Promise<string> {
    const { io, name, compression, now } = this.#options;
    await using writer = await io.writer(compression === undefined ? {} : { compression });
    for (const partition of this.#partitions) {
      for (let count = 0; count < SENT_TO_EACH; count += 1) {
        const record = this.#record(`written-${partition}-${count}`);
        const sentMs = now();
        const { acknowledged, fault } = await writer.append({ topic: name, partition, records: [record] });
        if (acknowledged !== 1) throw fault ?? new Error('the log acknowledged nothing');
        this.#sent.push({ key: record.key, partition, sentMs, answeredMs: now() });
        this.#due.add(record.key);
      }
    }
    const count = this.#sent.length;
    return `${count} records are acknowledged${compression === undefined || compression === 'none' ? '' : `, in ${compression}`}`;
  }

  /** A second holder of the id must fence the first, of which nothing more may become visible. */
  async #transact(): Promise<string> {
    const { io, name } = this.#options;
    await using first = await io.fencedWriter(name);
    await this.#commit(first, 'committed');
    await using second = await io.fencedWriter(name);
    let refusal: unknown = null;
    try {
      await first.commit(this.#transaction('fenced'));
    } catch (error) {
      refusal = error;
    }
    if (!(refusal instanceof TopicIoError) || refusal.code !== 'fenced') {
      throw new Error(`a writer whose id was taken over was not fenced (${messageOf(refusal)})`);
    }
    await this.#commit(second, 'taken-over');
    return 'two transactions are committed, and a writer whose id was taken over is fenced';
  }

  async #commit(writer: Awaited<ReturnType<TopicIo['fencedWriter']>>, what: string): Promise<void> {
    const transaction = this.#transaction(what);
    await writer.commit(transaction);
    for (const { records } of transaction.records) for (const { key } of records) this.#due.add(key);
  }

  #transaction(what: string) {
    const { name } = this.#options;
    return {
      records: this.#partitions.map((partition) => ({
        ...{ topic: name, partition },
        records: [this.#record(`${what}-${partition}`)],
      })),
    };
  }

  #record(key: string): RecordToAppend {
    return { key, value: Buffer.from(key), headers: {}, timestampMs: this.#options.now() };
  }

  async #read(): Promise<string> {
    const { io, name } = this.#options;
    const found: { key: string; timestampMs: number }[] = [];
    await readToEnd(io, {
      topic: name,
      partitions: this.#partitions,
      onRecords: (records) => found.push(...records),
    });
    const keys = found.map(({ key }) => key);
    const missing = [...this.#due].filter((key) => !keys.includes(key));
    const surplus = keys.filter((key, at) => !this.#due.has(key) || keys.indexOf(key) !== at);
    if (missing.length > 0 || surplus.length > 0) {
      throw new Error(
        `what is read is not what was committed: missing ${list(missing)}, not committed or twice ${list(surplus)}`,
      );
    }
    if (io.engine === 'kafka') this.clocks = clockSamples(this.#sent, found);
    return `the ${keys.length} records that were committed are read, and no others`;
  }
}

function list(keys: readonly string[]): string {
  return keys.length === 0 ? 'none' : keys.slice(0, 5).join(', ');
}

/** Whether the log does not allow it, by its rights or by a policy. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof TopicIoError)) return false;
  return error.code === 'denied' || error.message.includes('POLICY_VIOLATION');
}
