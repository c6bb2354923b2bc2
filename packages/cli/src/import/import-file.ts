import { setTimeout as delay } from 'node:timers/promises';
import type { RunKey } from '@runlog/schema/run/run-key';
import type { SendOptions, SendTarget } from '../services/send-events.ts';
import { EventBatches } from './event-batches.ts';
import { eventBytes } from './event-bytes.ts';
import type { LineFault } from './judge-line.ts';
import { emitterIdOf, LineNumberer, type ReadLine, type Recording, readLine } from './number-lines.ts';
import type { Recorded, RecordingReader } from './recorded-source.ts';
import type { RunsHeld } from './runs-held.ts';

const PATIENCE_MS = 60_000;
/** The number of broken lines reported one by one. A file of some other kind may hold millions of them. */
const REJECTED_TOLD_MAX = 100;
/** How long an event may wait for others to share a request with, at a recorded pace. */
const GATHER_MS_MAX = 500;

/** The progress of a file. */
export interface FileImport {
  /** Events and faults that were read. */
  found: number;
  /** New events that are in the log. */
  accepted: number;
  /** Events that their runs held already. */
  known: number;
  /** What is not in the log: events that were rejected, and faults of the file. */
  rejected: number;
  normalized: number;
  /** Bytes of the file as it is on disk. */
  bytesRead: number;
}

/** Says when an event may be sent at the earliest. */
export interface Pace {
  /** Milliseconds to wait before sending an event that occurred at this time; 0 when it is due. */
  waitMs(occurredAtMs: number): number;
}

export interface FileImportOptions {
  readonly path: string;
  readonly read: RecordingReader;
  readonly clusterId: string;
  readonly groupId: string | undefined;
  /** Names the run of lines that name none, when the first line is known. */
  readonly runIdFor: (firstLine: Buffer) => Promise<string>;
  /**
   * What the file system calls the file; see `emitterIdOf`. What may give its events in another order when it is read again
   * needs a name that nobody else has, because two events must not get the same number.
   */
  readonly inode: string;
  readonly target: SendTarget;
  readonly runs: RunsHeld;
  readonly pace: Pace | undefined;
  readonly now: () => number;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Gives up when ingest has accepted nothing for this time; a minute if it is not set. */
  readonly patienceMs?: number;
  readonly onRejected: (place: string, fault: LineFault) => void;
  readonly onRetry: NonNullable<SendOptions['onRetry']>;
  readonly onProgress: (soFar: FileImport) => void;
  /** Is called with each event that is in the log, or will be when this resolves. */
  readonly onEvent: (run: RunKey, isNew: boolean) => void;
}

/**
 * Imports one recorded file in order: sends the events that their runs do not hold. Rejects when a service cannot be
 * reached or refuses the sender, and when the file cannot be read. The same call can later continue.
 */
export async function importFile(options: FileImportOptions): Promise<FileImport> {
  const importing = new FileImporting(options);
  const { signal } = options;
  const onBytes = (bytes: number) => importing.countBytes(bytes);
  try {
    for await (const recorded of options.read(options.path, { signal, onBytes }))
      await importing.take(recorded);
    return await importing.end();
  } catch (error) {
    // What was read before a fault of the machine is sent all the same.
    if (error instanceof Error && 'syscall' in error && !signal.aborted) await importing.end();
    throw error;
  } finally {
    importing[Symbol.dispose]();
  }
}

class FileImporting {
  readonly #options: FileImportOptions;
  readonly #result: FileImport = {
    ...{ found: 0, accepted: 0, known: 0, rejected: 0, normalized: 0, bytesRead: 0 },
  };
  readonly #batches: EventBatches;
  #recording: Recording | null = null;
  /** By source. Each counts what comes twice by itself, since two files may hold the same event. */
  readonly #numberers = new Map<string, LineNumberer>();
  #batchSinceMs = 0;
  #unknownTold = '';

  constructor(options: FileImportOptions) {
    this.#options = options;
    const { target, random, now, signal, onRetry, patienceMs = PATIENCE_MS } = options;
    this.#batches = new EventBatches({
      target,
      send: { random, now, patienceMs, signal, onRetry },
      onSent: (events, outcome) => {
        this.#result.accepted += outcome.accepted;
        this.#result.normalized += outcome.normalized;
        for (const { index, ...fault } of outcome.errors) this.#reject(events[index]!.place, fault);
        this.#result.rejected += outcome.rejected - outcome.errors.length;
        options.onProgress(this.#result);
      },
    });
  }

  countBytes(bytes: number): void {
    this.#result.bytesRead += bytes;
  }

  async take(recorded: Recorded): Promise<void> {
    if ('caughtUp' in recorded) return this.#batches.flush();
    if ('restarted' in recorded) {
      // What comes again is known, as if the source were imported again.
      this.#numberers.delete(recorded.source ?? '');
      return;
    }
    this.#result.found += 1;
    const { place } = recorded;
    if ('fault' in recorded) return this.#reject(place, recorded.fault);
    const bytes = 'line' in recorded ? recorded.line : eventBytes(recorded.event);
    this.#recording ??= await this.#begin(bytes);
    const read = readLine(bytes, this.#recording);
    if (read.kind === 'rejected') return this.#reject(place, withHint(read.fault, recorded));
    const asked = this.#options.runs.asked(read.run) ?? (await this.#options.runs.ask(read.run));
    if (asked.kind === 'unknown') return this.#rejectUnknown(place, asked.message);
    await this.#send(read, { recorded, numberer: this.#numbererOf(recorded, this.#recording) });
  }

  async end(): Promise<FileImport> {
    await this.#batches.end();
    const more = this.#result.rejected - REJECTED_TOLD_MAX;
    if (more > 0) {
      const message = `${more} more that are not in the log are not listed`;
      this.#options.onRejected('…', { code: 'schema', path: '', message });
    }
    return this.#result;
  }

  [Symbol.dispose](): void {
    this.#batches[Symbol.dispose]();
  }

  #numbererOf({ source = '' }: Recorded, recording: Recording): LineNumberer {
    const known = this.#numberers.get(source);
    const numberer = known ?? new LineNumberer(recording, this.#options.runs.held);
    if (known === undefined) this.#numberers.set(source, numberer);
    return numberer;
  }

  async #begin(firstLine: Buffer): Promise<Recording> {
    const { clusterId, groupId, inode } = this.#options;
    const runId = await this.#options.runIdFor(firstLine);
    return { clusterId, groupId, runId, emitterId: emitterIdOf(firstLine, inode) };
  }

  async #send(read: ReadLine, by: { recorded: Recorded; numberer: LineNumberer }): Promise<void> {
    const { onEvent, onProgress } = this.#options;
    const { place } = by.recorded;
    const taken = by.numberer.take(read);
    switch (taken.kind) {
      case 'rejected':
        return this.#reject(place, withHint(taken.fault, by.recorded));
      case 'known':
        this.#result.known += 1;
        onEvent(read.run, false);
        return onProgress(this.#result);
      case 'event':
        await this.#waitFor(taken.occurredAtMs);
        onEvent(read.run, true);
        return this.#batches.add({ place, bytes: taken.bytes });
      default: {
        const unreachable: never = taken;
        throw new Error(`unknown line ${JSON.stringify(unreachable)}`);
      }
    }
  }

  /** Waits until the event is due, at a recorded pace. */
  async #waitFor(occurredAtMs: number): Promise<void> {
    const { pace, now, signal, onProgress } = this.#options;
    const waitMs = pace?.waitMs(occurredAtMs) ?? 0;
    if (waitMs <= 0) return;
    if (waitMs > GATHER_MS_MAX || now() - this.#batchSinceMs > GATHER_MS_MAX) {
      await this.#batches.flush();
      this.#batchSinceMs = now();
    }
    for (let left = waitMs; left > 0; left -= 1_000) {
      await delay(Math.min(left, 1_000), undefined, { signal });
      onProgress(this.#result);
    }
  }

  /** Says once what is true of all events of a run. */
  #rejectUnknown(place: string, message: string): void {
    if (this.#unknownTold === message) this.#result.rejected += 1;
    else this.#reject(place, { code: 'unknown_history', path: '', message });
    this.#unknownTold = message;
  }

  #reject(place: string, fault: LineFault): void {
    this.#result.rejected += 1;
    if (this.#result.rejected <= REJECTED_TOLD_MAX) this.#options.onRejected(place, fault);
    this.#options.onProgress(this.#result);
  }
}

function withHint(fault: LineFault, recorded: Recorded): LineFault {
  const isLast = 'line' in recorded && recorded.isLast === true;
  if (!isLast) return fault;
  return { ...fault, message: `${fault.message} (the last line, without a line end: still being written?)` };
}
