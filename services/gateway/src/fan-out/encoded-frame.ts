import type { ServerFrame } from '@runlog/schema/stream/server-frames';

/** One encoded frame. It is made once, however many clients get it. */
export interface EncodedFrame {
  readonly text: string;
  /** The position that the client has in channel `ch` after it: null if it has none, undefined if it does not change. */
  readonly seq?: number | null | undefined;
  readonly ch?: string | undefined;
  /** The text in two parts, if other frames end in the same. */
  readonly parts?: { readonly head: string; readonly end: SharedEnd } | undefined;
  /** What a transport made of the text, because it is the same for every client. Only the transport knows what it is. */
  wire?: Buffer | undefined;
}

/** Encodes one frame as JSON. `seq` is the position that the client has in the frame's channel after it. */
export function encode(frame: ServerFrame): EncodedFrame;
export function encode(frame: ServerFrame & { ch: string }, seq: number | null): EncodedFrame;
export function encode(frame: ServerFrame & { ch?: string }, seq?: number | null): EncodedFrame {
  const ch = seq === undefined ? undefined : frame.ch;
  return { text: JSON.stringify(frame), seq, ch, parts: undefined, wire: undefined };
}

/** Makes a frame of its JSON. */
export function encoded(text: string): EncodedFrame {
  return { text, seq: undefined, ch: undefined, parts: undefined, wire: undefined };
}

/** The end of many answers: everything except for the ids of the requests. */
export class SharedEnd {
  /** JSON without the opening brace. */
  readonly text: string;
  readonly seq: number | null | undefined;
  readonly ch: string | undefined;
  #bytes: Buffer | null = null;

  /**
   * `body` is the JSON object of an answer that has no id. `at` is the position that the client has in its channel after
   * it, if it moves.
   */
  constructor(body: string, at?: { ch: string; seq: number | null }) {
    this.text = body.slice(1);
    this.seq = at?.seq;
    this.ch = at?.ch;
  }

  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(this.text);
    return this.#bytes;
  }
}

/** Makes the answer to the request with this id. */
export function answerTo(id: number, end: SharedEnd): EncodedFrame {
  const head = `{"id":${id},`;
  return { text: head + end.text, seq: end.seq, ch: end.ch, parts: { head, end }, wire: undefined };
}
