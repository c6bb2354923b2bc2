import { STREAM_CHANNELS_MAX, STREAM_FRAME_BYTES_MAX } from '@runlog/schema/limits';
import { closeCodes } from '@runlog/schema/stream/close-codes';

/**
 * What the protocol owes a client for the messages that it sends, counted by the id of the frames and without a look at
 * the gateway's own schemas: a frame has an `id` and exactly one verb; a subscription is answered for each of its
 * channels, everything else once.
 */

const VERBS: readonly string[] = ['auth', 'sub', 'unsub', 'ping', 'ack'];
/** The frames that a gateway reads of one message. */
const FRAMES_PER_MESSAGE_MAX = 256;
const AUTH_CHARS_MAX = 512;

/** The number of answers with one id. */
interface Bounds {
  least: number;
  most: number;
}

export interface SentMessage {
  readonly text: string;
  readonly binary?: boolean;
}

export class FramesDue {
  readonly #byId = new Map<number | null, Bounds>();
  /** How often each channel was named, and the answers that are due if it was named once. */
  readonly #channels = new Map<string, { named: number; ids: (number | null)[] }>();
  readonly #keys: readonly string[] | null;
  #closesWith: number | null = null;
  /** The items of `sub` frames in the message that is being added. */
  #items = 0;

  /** `keys` are those of a gateway that requires one. */
  constructor(keys: readonly string[] | null) {
    this.#keys = keys;
  }

  /** The code that the connection closes with; null if it stays open. */
  get closesWith(): number | null {
    return this.#closesWith;
  }

  /** The channels that a frame named anywhere. Frames without an id may come for these and no others. */
  get channels(): ReadonlySet<string> {
    return new Set(this.#channels.keys());
  }

  add({ text, binary }: SentMessage): void {
    if (this.#closesWith !== null) return;
    const bytes = Buffer.byteLength(text);
    if (bytes > 2 * STREAM_FRAME_BYTES_MAX) this.#closesWith = closeCodes.message_too_big.close;
    else if (bytes > STREAM_FRAME_BYTES_MAX) this.#closesWith = closeCodes.frame_too_large.close;
    else if (binary === true) this.#owe(null, { least: 1, most: 1 });
    else this.#addLines(text);
  }

  /** Returns the answers that are due by id. A channel that was named once is answered exactly once. */
  bounds(): Map<number | null, Readonly<Bounds>> {
    const all = new Map([...this.#byId].map(([id, bounds]) => [id, { ...bounds }]));
    for (const { named, ids } of this.#channels.values()) {
      for (const id of ids) {
        const of = all.get(id) ?? { least: 0, most: 0 };
        all.set(id, { least: of.least + (named === 1 ? 1 : 0), most: of.most + 1 });
      }
    }
    return all;
  }

  #addLines(text: string): void {
    let frames = 0;
    this.#items = 0;
    for (const line of text.split('\n')) {
      if (line.trim() === '') continue;
      frames += 1;
      if (frames > FRAMES_PER_MESSAGE_MAX) {
        this.#owe(null, { least: 1, most: 1 });
        return;
      }
      this.#addFrame(line);
      if (this.#closesWith !== null) return;
    }
  }

  #addFrame(line: string): void {
    const once = { least: 1, most: 1 };
    let sent: unknown;
    try {
      sent = JSON.parse(line);
    } catch {
      this.#owe(null, once);
      return;
    }
    const frame = new Map(
      typeof sent === 'object' && sent !== null && !Array.isArray(sent) ? Object.entries(sent) : [],
    );
    const id = frame.get('id');
    const answersTo = typeof id === 'number' && Number.isSafeInteger(id) ? id : null;
    const [verb, ...others] = [...frame.keys()].filter((name) => name !== 'id');
    if (answersTo === null || verb === undefined || others.length > 0 || !VERBS.includes(verb)) {
      this.#owe(answersTo, once);
      return;
    }
    const value: unknown = frame.get(verb);
    if (verb === 'sub' && Array.isArray(value)) this.#addSubscription(answersTo, value);
    else if (verb === 'auth') this.#addAuth(answersTo, value);
    else {
      this.#owe(answersTo, once);
      if (verb === 'unsub' && Array.isArray(value)) for (const ch of value) this.#name(ch);
    }
  }

  #addSubscription(id: number, items: readonly unknown[]): void {
    if (items.length === 0) this.#owe(id, { least: 1, most: 1 });
    // A list with which the message has too many may be refused as a whole.
    if (this.#items + items.length > STREAM_CHANNELS_MAX) {
      this.#owe(id, { least: 1, most: items.length });
      for (const item of items) this.#name(channelIn(item));
      return;
    }
    this.#items += items.length;
    for (const item of items) {
      const ch = channelIn(item);
      if (ch === null) this.#owe(id, { least: 1, most: 1 });
      else this.#name(ch)?.ids.push(id);
      // A position that the gateway has not reached is answered later, and then by a reset without an id.
      if (ch !== null && holdsPosition(item)) this.#name(ch);
    }
  }

  #addAuth(id: number, value: unknown): void {
    const isSecret = typeof value === 'string' && value.length <= AUTH_CHARS_MAX;
    if (isSecret && this.#keys !== null && !this.#keys.includes(value)) {
      this.#closesWith = closeCodes.bad_key.close;
    } else {
      this.#owe(id, { least: 1, most: 1 });
    }
  }

  #name(ch: unknown) {
    if (typeof ch !== 'string') return;
    const channel = this.#channels.get(ch) ?? { named: 0, ids: [] };
    channel.named += 1;
    this.#channels.set(ch, channel);
    return channel;
  }

  #owe(id: number | null, { least, most }: Bounds): void {
    const of = this.#byId.get(id) ?? { least: 0, most: 0 };
    this.#byId.set(id, { least: of.least + least, most: of.most + most });
  }
}

function channelIn(item: unknown): string | null {
  if (typeof item !== 'object' || item === null || !Object.hasOwn(item, 'ch')) return null;
  const { ch } = item as { ch: unknown };
  return typeof ch === 'string' ? ch : null;
}

function holdsPosition(item: unknown): boolean {
  const { since } = item as { since?: unknown };
  return typeof since === 'object' && since !== null;
}
