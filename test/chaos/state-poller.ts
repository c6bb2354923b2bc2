import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunDocument } from '@runlog/schema/run/snapshot';
import type { Note } from './history/history-file.ts';
import { comparable, snapshotOf } from './judge-end.ts';

const PAUSE_MS = 100;
const ANSWER_MS_MAX = 5_000;

/**
 * Asks every gateway for one run after another, as long as it stays, and notes what each says. A gateway that does not
 * answer is asked again later.
 */
export class StatePoller {
  readonly #note: Note;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: { keys: readonly string[]; gateways: () => readonly string[]; note: Note }) {
    this.#note = options.note;
    this.#running = this.#stay(options);
  }

  async leave(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #stay(options: { keys: readonly string[]; gateways: () => readonly string[] }): Promise<void> {
    for (let turn = 0; !this.#stop.signal.aborted; turn += 1) {
      const key = options.keys[turn % options.keys.length]!;
      await Promise.all(options.gateways().map((gateway) => this.#ask(gateway, key)));
      await delay(PAUSE_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #ask(gateway: string, key: string): Promise<void> {
    let run: RunDocument;
    try {
      const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(ANSWER_MS_MAX)]);
      run = await snapshotOf(gateway, key, signal);
    } catch {
      // It is down at the moment, or frozen.
      return;
    }
    noteState(this.#note, { by: gateway, key, run });
  }
}

/** Notes the state of a run, if it has one. */
export function noteState(
  note: Note,
  of: { by: string; key: string; run: Parameters<typeof comparable>[0] },
): void {
  const { by, key, run } = of;
  if (run?.position == null) return;
  const { epoch, seq } = run.position;
  const received = run.total_events_received;
  const distinct = received - run.duplicates;
  const digest = digestOf(run);
  note({ kind: 'state', by, key, epoch, seq, digest, received, distinct });
}

/** `activity` is left out: streams bring it up to date some seconds after the events that it counts. */
function digestOf(run: NonNullable<Parameters<typeof comparable>[0]>): string {
  return createHash('sha1')
    .update(comparable({ ...run, activity: [] }))
    .digest('base64');
}
