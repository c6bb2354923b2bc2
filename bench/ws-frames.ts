/** Splits the bytes of a server's WebSocket into the payloads of its text frames, and tells of pings. */
export class WsFrames {
  readonly #onText: (payload: Buffer) => void;
  readonly #onPing: () => void;
  /** What came of a frame that is not complete. */
  #parts: Buffer[] = [];
  #held = 0;
  /** The bytes that must be held before there is anything to do. */
  #needed = 2;

  constructor(on: { text: (payload: Buffer) => void; ping: () => void }) {
    this.#onText = on.text;
    this.#onPing = on.ping;
  }

  push(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#needed) return;
    let rest = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts);
    for (;;) {
      this.#needed = frameBytes(rest);
      if (rest.length < this.#needed) break;
      const length = rest[1]! & 0x7f;
      const head = length === 126 ? 4 : length === 127 ? 10 : 2;
      const opcode = rest[0]! & 0x0f;
      if (opcode === TEXT) this.#onText(rest.subarray(head, this.#needed));
      else if (opcode === PING) this.#onPing();
      rest = rest.subarray(this.#needed);
    }
    this.#parts = rest.length === 0 ? [] : [rest];
    this.#held = rest.length;
  }
}

const TEXT = 1;
const PING = 9;

/** The length of the frame that begins here, or as much of it as must be there to tell. */
function frameBytes(bytes: Buffer): number {
  if (bytes.length < 2) return 2;
  const length = bytes[1]! & 0x7f;
  if (length < 126) return 2 + length;
  if (length === 126) return bytes.length < 4 ? 4 : 4 + bytes.readUInt16BE(2);
  return bytes.length < 10 ? 10 : 10 + Number(bytes.readBigUInt64BE(2));
}
