import { setTimeout as delay } from 'node:timers/promises';
import { BODY_EVENTS_MAX } from '@runlog/schema/limits';
import { type SendOptions, type SendTarget, sendEvents } from '../services/send-events.ts';
import { eventBytes } from './event-bytes.ts';
import type { LineFault } from './judge-line.ts';
import { createLineNumberer, emitterIdOf, type NumberedLine } from './number-lines.ts';
import type { Recorded, RecordingReader } from './recorded-source.ts';

/** The largest body. It is below ingest's bound, so that two of them need little memory. */
const BODY_BYTES_MAX = 1024 * 1024;
const PATIENCE_MS = 60_000;
/** The number of broken lines reported one by one. A file of some other kind may hold millions of them. */
const REJECTED_TOLD_MAX = 100;
/** How long an event may wait for others to share a request with, at a recorded pace. */
const GATHER_MS_MAX = 500;

/** The progress of a file. */
export interface FileImport {
  /** Events and faults that were read. */
  found: number;
  accepted: number;
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
  readonly runId: string;
  readonly groupId: string | undefined;
  readonly target: SendTarget;
  readonly pace: Pace | undefined;
  readonly now: () => number;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Gives up when ingest has accepted nothing for this time; a minute if it is not set. */
  readonly patienceMs?: number;
  readonly onRejected: (place: string, fault: LineFault) => void;
  readonly onRetry: NonNullable<SendOptions['onRetry']>;
  readonly onProgress: (soFar: FileImport) => void;
  /** Is called once for each `run/group` of the file, before any event of it is sent. */
  readonly onRun: (run: string) => Promise<void>;
}

interface Line {
  readonly place: string;
  readonly bytes: Buffer;
}

/**
 * Sends one recorded file in order. One body is in flight while the next one is gathered. Rejects when ingest cannot be
 * reached or refuses the sender. What was sent before is numbered, so the same call can later continue.
 */
export async function importFile(options: FileImportOptions): Promise<FileImport> {
  const { signal, pace } = options;
  const result: FileImport = { found: 0, accepted: 0, rejected: 0, normalized: 0, bytesRead: 0 };
  const reject = (place: string, fault: LineFault) => {
    result.rejected += 1;
    if (result.rejected <= REJECTED_TOLD_MAX) options.onRejected(place, fault);
  };
  const send = async (lines: readonly Line[]) => {
    const outcome = await sendEvents(
      lines.map((line) => line.bytes),
      options.target,
      {
        random: options.random,
        now: options.now,
        patienceMs: options.patienceMs ?? PATIENCE_MS,
        signal,
        onRetry: options.onRetry,
      },
    );
    result.accepted += outcome.accepted;
    result.normalized += outcome.normalized;
    for (const { index, ...fault } of outcome.errors) reject(lines[index]!.place, fault);
    result.rejected += outcome.rejected - outcome.errors.length;
    options.onProgress(result);
  };

  let batch: Line[] = [];
  let batchBytes = 0;
  let batchSinceMs = 0;
  let inFlight: Promise<void> = Promise.resolve();
  const flush = async () => {
    if (batch.length === 0) return;
    await inFlight;
    const lines = batch;
    batch = [];
    batchBytes = 0;
    inFlight = send(lines);
    // The request is awaited before the next one; until then a failure must not count as unhandled.
    inFlight.catch(() => {});
  };

  const onBytes = (bytes: number) => {
    result.bytesRead += bytes;
  };
  const runs = new Set<string>();
  let number: ((line: Buffer) => NumberedLine) | null = null;
  for await (const recorded of options.read(options.path, { signal, onBytes })) {
    if ('caughtUp' in recorded) {
      await flush();
      continue;
    }
    result.found += 1;
    const { place } = recorded;
    if ('fault' in recorded) {
      reject(place, recorded.fault);
      continue;
    }
    const bytes = bytesOf(recorded);
    number ??= createLineNumberer({
      runId: options.runId,
      groupId: options.groupId,
      emitterId: emitterIdOf(bytes),
    });
    const numbered = number(bytes);
    if (numbered.kind === 'rejected') {
      const { fault } = numbered;
      reject(place, { ...fault, message: `${fault.message}${hintOf(recorded)}` });
      options.onProgress(result);
      continue;
    }
    const run = `${numbered.runId}/${numbered.groupId}`;
    if (!runs.has(run)) {
      runs.add(run);
      await options.onRun(run);
    }
    const waitMs = pace?.waitMs(numbered.occurredAtMs) ?? 0;
    if (waitMs > 0) {
      if (waitMs > GATHER_MS_MAX || options.now() - batchSinceMs > GATHER_MS_MAX) await flush();
      await pauseFor(waitMs, { signal, onTick: () => options.onProgress(result) });
    }
    if (batch.length === 0) batchSinceMs = options.now();
    batch.push({ place, bytes: numbered.bytes });
    batchBytes += numbered.bytes.length + 1;
    if (batch.length >= BODY_EVENTS_MAX || batchBytes >= BODY_BYTES_MAX) await flush();
  }
  await flush();
  await inFlight;
  if (result.rejected > REJECTED_TOLD_MAX) {
    const message = `${result.rejected - REJECTED_TOLD_MAX} more rejected lines are not listed`;
    options.onRejected('…', { code: 'schema', path: '', message });
  }
  return result;
}

async function pauseFor(ms: number, options: { signal: AbortSignal; onTick: () => void }): Promise<void> {
  for (let left = ms; left > 0; left -= 1_000) {
    await delay(Math.min(left, 1_000), undefined, { signal: options.signal });
    options.onTick();
  }
}

function bytesOf(recorded: Exclude<Recorded, { fault: LineFault } | { caughtUp: true }>): Buffer {
  return 'line' in recorded ? recorded.line : eventBytes(recorded.event);
}

function hintOf(recorded: Recorded): string {
  const isLast = 'line' in recorded && recorded.isLast === true;
  return isLast ? ' (the last line, without a line end: still being written?)' : '';
}
