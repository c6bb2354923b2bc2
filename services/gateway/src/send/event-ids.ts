import { createHash } from 'node:crypto';
import { formatPosition, parsePosition } from '@runlog/schema/run/position-text';
import type { Position } from '@runlog/schema/run/snapshot';
import type { EncodedFrame } from '../fan-out/encoded-frame.ts';

/** The ids of a stream of server-sent events: text that the client shows to go on from there. */
export interface EventIds {
  /** Returns the position that an id holds for the channel, or null if it holds none. */
  sinceOf(ch: string): Position | null;
  /**
   * Is called with every frame that is sent. Returns the id of its event; empty if the client must begin anew; null if it
   * keeps the id that it has.
   */
  idAfter(frame: EncodedFrame): string | null;
}

/** The ids of a stream of one run: `epoch.seq`. */
export function idsOfOneRun(options: { epoch: () => string; lastEventId: string | undefined }): EventIds {
  const { epoch, lastEventId } = options;
  const since = lastEventId === undefined ? null : parsePosition(lastEventId);
  return {
    sinceOf: () => since,
    idAfter({ seq }) {
      if (seq === undefined) return null;
      return seq === null ? '' : formatPosition({ epoch: epoch(), seq });
    },
  };
}

/** Ids are recognised by so much of the digest of their channels. An id of other channels means a fresh start. */
const DIGEST_CHARS = 8;

/**
 * The ids of a stream of several runs, `epoch.digest.41,,57`: the position in each, in the order in which the client named
 * them, empty where it has none.
 */
export function idsOfRuns(options: {
  epoch: () => string;
  runs: readonly string[];
  lastEventId: string | undefined;
}): EventIds {
  const { runs, lastEventId } = options;
  const digest = createHash('sha256').update(runs.join(' ')).digest('base64url').slice(0, DIGEST_CHARS);
  const places = new Map(runs.map((ch, at) => [ch, at]));
  const shown = lastEventId === undefined ? null : parseId(lastEventId, { digest, length: runs.length });
  let epoch = shown?.epoch ?? options.epoch();
  let seqs: (number | null)[] = shown?.seqs ?? runs.map(() => null);
  return {
    sinceOf(ch) {
      const seq = shown?.seqs[places.get(ch) ?? -1] ?? null;
      return shown === null || seq === null ? null : { epoch: shown.epoch, seq };
    },
    idAfter({ ch, seq }) {
      const place = ch === undefined ? undefined : places.get(ch);
      if (place === undefined || seq === undefined) return null;
      if (epoch !== options.epoch()) {
        // Positions of another epoch say nothing in this one.
        epoch = options.epoch();
        seqs = runs.map(() => null);
      }
      seqs[place] = seq;
      return `${epoch}.${digest}.${seqs.map((each) => each ?? '').join(',')}`;
    },
  };
}

function parseId(
  text: string,
  of: { digest: string; length: number },
): { epoch: string; seqs: (number | null)[] } | null {
  const match = /^([^.]{1,128})\.([\w-]{8})\.([\d,]*)$/.exec(text);
  if (match === null || match[2] !== of.digest) return null;
  const parts = match[3]!.split(',');
  if (parts.length !== of.length || parts.some((part) => part.length > 15)) return null;
  return { epoch: match[1]!, seqs: parts.map((part) => (part === '' ? null : Number(part))) };
}
