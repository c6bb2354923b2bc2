import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { STREAM_PATH, STREAM_SUBPROTOCOL } from '@runlog/schema/stream/subprotocol';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface RawFrame {
  readonly opcode: number;
  readonly payload?: Buffer | string;
  /** The frame is the last of its message. */
  readonly fin?: boolean;
  /** The three reserved bits, 0 to 7. */
  readonly reserved?: number;
  readonly masked?: boolean;
  /** The length that the header claims, if it is not that of the payload. */
  readonly claims?: bigint;
  /** The bytes in which the length is written, also if fewer would do. */
  readonly lengthBytes?: 0 | 2 | 8;
}

/** Writes a frame of a WebSocket, right or wrong. */
export function rawFrame(frame: RawFrame): Buffer {
  const { opcode, fin = true, reserved = 0, masked = true } = frame;
  const payload = Buffer.from(frame.payload ?? '');
  const length = frame.claims ?? BigInt(payload.length);
  const lengthBytes = frame.lengthBytes ?? (length < 126n ? 0 : length < 65_536n ? 2 : 8);
  const head = Buffer.alloc(2 + lengthBytes);
  head[0] = (fin ? 0x80 : 0) | ((reserved & 7) << 4) | (opcode & 15);
  head[1] = (masked ? 0x80 : 0) | (lengthBytes === 0 ? Number(length & 127n) : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) head.writeUInt16BE(Number(length & 0xffffn), 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(length & 0xffff_ffff_ffff_ffffn, 2);
  if (!masked) return Buffer.concat([head, payload]);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, payload.map((byte, at) => byte ^ mask[at % 4]!)]);
}

/** Returns the payload of a close frame. */
export function closePayload(code: number, reason: Buffer | string = ''): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}

export interface ServerRawFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Returns the head of a handshake. A header that is null is left out. */
export function handshake(
  headers: Readonly<Record<string, string | null>> = {},
  { method = 'GET', path = STREAM_PATH }: { method?: string; path?: string } = {},
): string {
  const all: Record<string, string | null> = {
    Host: '127.0.0.1',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Protocol': STREAM_SUBPROTOCOL,
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
  return `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** A TCP connection that writes what it is told and reads what a WebSocket server answers. */
export class RawWebSocket implements Disposable {
  readonly socket: Socket;
  /** Resolves when the connection is over, by whichever side. */
  readonly over: Promise<void>;
  #received = Buffer.alloc(0);
  #head: string | null = null;
  readonly #frames: ServerRawFrame[] = [];
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    // Bytes that are written one by one must not wait for each other.
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      this.#received = Buffer.concat([this.#received, data]);
      this.#parse();
      this.#wake();
    });
    this.over = new Promise((resolve) => {
      socket.once('close', () => {
        resolve();
        this.#wake();
      });
    });
  }

  static async open(url: string): Promise<RawWebSocket> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: false });
    const raw = new RawWebSocket(socket);
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return raw;
  }

  /** Opens a connection and resolves when the server has agreed to the handshake. */
  static async upgraded(url: string, headers: Readonly<Record<string, string>> = {}): Promise<RawWebSocket> {
    const raw = await RawWebSocket.open(url);
    raw.write(handshake({ Host: new URL(url).host, ...headers }));
    await raw.has(() => raw.status !== null);
    if (raw.status !== 101) throw new Error(`refused with ${raw.status}`);
    return raw;
  }

  /** The status of the answer to the handshake; null while there is none. */
  get status(): number | null {
    const match = /^HTTP\/1\.1 (\d{3})/.exec(this.#head ?? '');
    return match === null ? null : Number(match[1]);
  }

  /** The head of the answer. */
  get head(): string {
    return this.#head ?? '';
  }

  get frames(): readonly ServerRawFrame[] {
    return this.#frames;
  }

  /** The code that the server closed with; null if it has not sent a close frame, 1005 if that has no code. */
  get closeCode(): number | null {
    const close = this.#frames.find(({ opcode }) => opcode === opcodes.close);
    if (close === undefined) return null;
    return close.payload.length >= 2 ? close.payload.readUInt16BE() : 1_005;
  }

  write(...parts: (Buffer | string)[]): void {
    for (const part of parts) if (!this.socket.destroyed) this.socket.write(part);
  }

  /** Waits until something holds of what was received, or the connection is over. */
  async has(condition: () => boolean): Promise<void> {
    while (!condition() && !this.socket.destroyed) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #parse(): void {
    if (this.#head === null) {
      const end = this.#received.indexOf('\r\n\r\n');
      if (end === -1) return;
      this.#head = this.#received.subarray(0, end).toString('latin1');
      this.#received = this.#received.subarray(end + 4);
    }
    if (this.status !== 101) return;
    for (;;) {
      const frame = frameIn(this.#received);
      if (frame === null) return;
      this.#received = this.#received.subarray(frame.bytes);
      this.#frames.push(frame);
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** Reads one frame of a server, which is never masked. Returns null if it is not complete. */
function frameIn(bytes: Buffer): (ServerRawFrame & { bytes: number }) | null {
  if (bytes.length < 2) return null;
  if ((bytes[1]! & 0x80) !== 0) throw new Error('the server masked a frame');
  if ((bytes[0]! & 0x70) !== 0) throw new Error('the server set a reserved bit');
  const short = bytes[1]! & 127;
  const from = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (bytes.length < from) return null;
  const length =
    short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
  if (bytes.length < from + length) return null;
  return { opcode: bytes[0]! & 15, payload: bytes.subarray(from, from + length), bytes: from + length };
}
