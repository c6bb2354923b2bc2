import { STREAM_FRAME_BYTES_MAX } from '@runlog/schema/limits';
import { closeCodes } from '@runlog/schema/stream/close-codes';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chosenSeed } from '../chaos/seed.ts';
import { comesToHold } from '../chaos/until.ts';
import { FuzzedSystem, fuzzMs, fuzzTimeout, Witness } from '../support/fuzzed-system.ts';
import { closePayload, handshake, opcodes, RawWebSocket, rawFrame } from '../support/raw-websocket.ts';

const ATTACK_MS = 12_000;
const CASES_PER_ROUND = 25;
const ROUND_MS_MAX = 180_000;
/** A connection that broke the protocol is closed, and cut 1 s later. This is far above. */
const END_MS_MAX = 60_000;
const MIB = 2 ** 20;

const { text, binary, continuation, close, ping, pong } = opcodes;
const PING_FRAME = '{"id":1,"ping":true}';

const seed = chosenSeed(process.env);
let system: FuzzedSystem;

beforeAll(async () => {
  system = await FuzzedSystem.start({ withKeys: false });
  await system.post('n1', ['first']);
});
beforeEach(() => system.revive());
afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
});

describe('a handshake', () => {
  const host = (): string => new URL(system.url).host;

  it.each<[string, number, () => string]>([
    ['of another version', 400, () => handshake({ Host: host(), 'Sec-WebSocket-Version': '7' })],
    ['without a version', 400, () => handshake({ Host: host(), 'Sec-WebSocket-Version': null })],
    ['without a key', 400, () => handshake({ Host: host(), 'Sec-WebSocket-Key': null })],
    ['with a key that is too short', 400, () => handshake({ Host: host(), 'Sec-WebSocket-Key': 'eA==' })],
    ['of another protocol', 400, () => handshake({ Host: host(), Upgrade: 'h2c' })],
    ['by POST', 405, () => handshake({ Host: host(), 'Content-Length': '0' }, { method: 'POST' })],
    ['at another place', 404, () => handshake({ Host: host() }, { path: '/v1/streams' })],
    ['of a foreign page', 403, () => handshake({ Host: host(), Origin: 'http://evil.example' })],
    ['with an origin that is none', 403, () => handshake({ Host: host(), Origin: 'null' })],
    ['with a broken subprotocol', 400, () => handshake({ Host: host(), 'Sec-WebSocket-Protocol': 'a,,b' })],
    ['with a huge header', 431, () => handshake({ Host: host(), 'X-Long': 'x'.repeat(100_000) })],
    ['without an upgrade', 404, () => handshake({ Host: host(), Upgrade: null, Connection: 'close' })],
    ['that is not HTTP', 400, () => '\u0000\u0001\u0002 GET / nonsense\r\n\r\n'],
    ['with a broken header', 400, () => 'GET /v1/stream HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n'],
  ])('%s is answered with %i and ends', async (_name, status, head) => {
    using raw = await RawWebSocket.open(system.url);
    raw.write(head());
    await ends(raw);
    expect(raw.status).toBe(status);
    await system.mustLive();
  });

  it('never agrees to compress, and takes frames that come with it', async () => {
    using raw = await RawWebSocket.open(system.url);
    const head = handshake({
      Host: host(),
      'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
    });
    raw.write(Buffer.concat([Buffer.from(head), rawFrame({ opcode: text, payload: PING_FRAME })]));
    await raw.has(() => raw.frames.some(({ payload }) => payload.includes('pong')));
    expect(raw.status).toBe(101);
    expect(raw.head.toLowerCase()).not.toContain('permessage-deflate');
    raw.write(rawFrame({ opcode: text, payload: PING_FRAME, reserved: 4 }));
    await ends(raw);
    expect(raw.closeCode).toBe(1_002);
  });
});

describe('a connection', () => {
  const fragment = (over: Partial<Parameters<typeof rawFrame>[0]> = {}) =>
    rawFrame({ opcode: text, payload: '{', fin: false, ...over });
  const large = (bytes: number) => `{"id":1,${' '.repeat(bytes - 20)}"ping":true}`;

  it.each<[string, number, () => Buffer[]]>([
    ['an unmasked frame', 1_002, () => [rawFrame({ opcode: text, payload: PING_FRAME, masked: false })]],
    ...[1, 2, 3, 4, 7].map((reserved): [string, number, () => Buffer[]] => [
      `the reserved bits ${reserved}`,
      1_002,
      () => [rawFrame({ opcode: text, payload: PING_FRAME, reserved })],
    ]),
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [string, number, () => Buffer[]] => [
      `the opcode ${opcode}`,
      1_002,
      () => [rawFrame({ opcode })],
    ]),
    ['a continuation of nothing', 1_002, () => [rawFrame({ opcode: continuation, payload: 'x' })]],
    ['a message within a message', 1_002, () => [fragment(), rawFrame({ opcode: text, payload: '}' })]],
    ['a control frame in parts', 1_002, () => [rawFrame({ opcode: ping, fin: false })]],
    ['a long control frame', 1_002, () => [rawFrame({ opcode: ping, payload: 'x'.repeat(126) })]],
    ['a close frame with half a code', 1_002, () => [rawFrame({ opcode: close, payload: 'x' })]],
    ...[0, 999, 1_004, 1_005, 1_006, 1_015, 2_999, 5_000, 65_535].map(
      (code): [string, number, () => Buffer[]] => [
        `a close frame with the code ${code}`,
        1_002,
        () => [rawFrame({ opcode: close, payload: closePayload(code) })],
      ],
    ),
    [
      'a close frame whose reason is no text',
      1_007,
      () => [rawFrame({ opcode: close, payload: closePayload(1_000, Buffer.from([0xff])) })],
    ],
    [
      'a text that is no UTF-8',
      1_007,
      () => [rawFrame({ opcode: text, payload: Buffer.from([0xc3, 0x28]) })],
    ],
    [
      'a text that is no UTF-8 in parts',
      1_007,
      () => [
        fragment({ payload: Buffer.from([0xed]) }),
        rawFrame({ opcode: continuation, payload: Buffer.from([0xa0, 0x80]) }),
      ],
    ],
    ['a length above 2^53', 1_009, () => [rawFrame({ opcode: text, claims: 2n ** 60n })]],
    ['a length with its highest bit set', 1_009, () => [rawFrame({ opcode: text, claims: 2n ** 63n })]],
    ['a frame of 16 MiB', 1_009, () => [rawFrame({ opcode: text, claims: BigInt(16 * MIB) })]],
    [
      'a message of twice the limit and one byte',
      1_009,
      () => [rawFrame({ opcode: text, payload: large(2 * STREAM_FRAME_BYTES_MAX + 1) })],
    ],
    [
      'a message of more than the limit',
      closeCodes.frame_too_large.close,
      () => [rawFrame({ opcode: text, payload: large(STREAM_FRAME_BYTES_MAX + 1) })],
    ],
    [
      'a binary message of more than the limit',
      closeCodes.frame_too_large.close,
      () => [rawFrame({ opcode: binary, payload: large(STREAM_FRAME_BYTES_MAX + 1) })],
    ],
    [
      'a message in too many parts',
      1_008,
      () => [
        fragment(),
        ...Array.from({ length: 100 }, () => rawFrame({ opcode: continuation, fin: false, payload: 'x' })),
      ],
    ],
    [
      'a message that grows beyond the limit',
      1_009,
      () => [
        fragment(),
        ...Array.from({ length: 20 }, () =>
          rawFrame({ opcode: continuation, fin: false, payload: 'x'.repeat(8_000) }),
        ),
      ],
    ],
    ['a proper close', 1_000, () => [rawFrame({ opcode: close, payload: closePayload(1_000) })]],
    [
      'a proper close with a code of its own',
      4_321,
      () => [rawFrame({ opcode: close, payload: closePayload(4_321, 'bye') })],
    ],
    ['a close without a code', 1_005, () => [rawFrame({ opcode: close })]],
  ])('that sends %s is closed with %i', async (_name, code, frames) => {
    using raw = await RawWebSocket.upgraded(system.url);
    raw.write(...frames());
    await ends(raw);
    expect(raw.closeCode).toBe(code);
    await system.mustLive();
  });

  it('may write its lengths in more bytes than needed, and cut its frames anywhere', async () => {
    using raw = await RawWebSocket.upgraded(system.url);
    const frames = Buffer.concat([
      rawFrame({ opcode: text, payload: PING_FRAME, lengthBytes: 8 }),
      rawFrame({ opcode: text, payload: PING_FRAME.slice(0, 5), fin: false, lengthBytes: 2 }),
      rawFrame({ opcode: ping, payload: 'between' }),
      rawFrame({ opcode: pong, payload: 'unasked' }),
      rawFrame({ opcode: continuation, payload: PING_FRAME.slice(5) }),
    ]);
    for (const byte of frames) raw.write(Buffer.of(byte));
    await raw.has(() => raw.frames.filter(({ payload }) => payload.includes('pong')).length === 2);
    expect(raw.frames.some(({ opcode, payload }) => opcode === pong && String(payload) === 'between')).toBe(
      true,
    );
  });
});

describe('the bytes of a WebSocket', () => {
  it(
    'cannot end the process, hold a connection for ever, or disturb others',
    async () => {
      process.stdout.write(`socket byte fuzz: SEED=${seed}\n`);
      const { pid } = system;
      await using witness = await Witness.start(system);
      const silent = await silentConnections();
      const endsMs = performance.now() + fuzzMs(ATTACK_MS);
      let cases = 0;
      for (let round = 0; round === 0 || performance.now() < endsMs; round += 1) {
        await fc.assert(
          fc.asyncProperty(attackBytes, async (attack) => {
            cases += 1;
            await system.revive();
            await attackWith(attack);
            await system.mustLive();
          }),
          {
            seed: seed + round,
            numRuns: CASES_PER_ROUND,
            interruptAfterTimeLimit: ROUND_MS_MAX,
            markInterruptAsFailure: true,
          },
        );
        witness.mustBeWell();
      }
      // Those that never finished what they began answer no ping either.
      for (const [name, raw] of silent) {
        await ends(raw, 2 * END_MS_MAX);
        expect([name, raw.closeCode]).toEqual([name, closeCodes.no_pong.close]);
      }
      process.stdout.write(`socket byte fuzz: ${cases} connections, ${witness.steps} steps of the witness\n`);
      witness.mustBeWell();
      await system.mustLive();
      expect(system.pid).toBe(pid);
    },
    fuzzTimeout(ATTACK_MS),
  );

  it.each([ping, pong])(
    'a flood of frames with the opcode %i whose answers are not read costs no memory',
    async (opcode) => {
      const residentBefore = await system.metric('process_resident_memory_bytes');
      using raw = await RawWebSocket.upgraded(system.url);
      raw.socket.pause();
      const flood = Buffer.concat(
        Array.from({ length: 5_000 }, () => rawFrame({ opcode, payload: 'x'.repeat(125) })),
      );
      for (let written = 0; written < 32 * MIB && !raw.socket.destroyed; written += flood.length) {
        if (raw.socket.write(flood)) continue;
        // A server that takes no more has done enough.
        if (!(await comesToHold(() => raw.socket.writableLength === 0 || raw.socket.destroyed, 2_000))) break;
      }
      await using _witness = await Witness.start(system);
      expect(await system.metric('process_resident_memory_bytes')).toBeLessThan(residentBefore + 96 * MIB);
      await system.mustLive();
    },
  );

  it('leave nothing behind when the connections are gone', async () => {
    await expect.poll(() => system.metric('runlog_gateway_connections')).toBe(0);
    await expect.poll(() => system.metric('runlog_gateway_subscriptions')).toBe(0);
    expect(await system.stop()).toBe(0);
  });
});

/** Connections that begin something, never finish it, and never answer. */
async function silentConnections(): Promise<(readonly [string, RawWebSocket])[]> {
  const beginnings: [string, Buffer][] = [
    ['nothing', Buffer.alloc(0)],
    ['half a header', rawFrame({ opcode: text, payload: PING_FRAME }).subarray(0, 1)],
    ['half a mask', rawFrame({ opcode: text, payload: PING_FRAME }).subarray(0, 4)],
    ['half a payload', rawFrame({ opcode: text, payload: PING_FRAME }).subarray(0, 15)],
    ['half a length', rawFrame({ opcode: text, payload: 'x'.repeat(70_000) }).subarray(0, 7)],
    ['a message without its end', rawFrame({ opcode: text, payload: '{', fin: false })],
  ];
  return Promise.all(
    beginnings.map(async ([name, bytes]) => {
      const raw = await RawWebSocket.upgraded(system.url);
      if (bytes.length > 0) raw.write(bytes);
      return [name, raw] as const;
    }),
  );
}

interface Attack {
  readonly frames: readonly Buffer[];
  /** The place of a byte that is changed, as a share of all, and by what. */
  readonly flips: readonly { readonly at: number; readonly by: number }[];
  /** The share of the bytes that is sent. */
  readonly cut: number;
  /** The bytes are written in pieces of this size. */
  readonly pieces: number;
}

const payload = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .constantFrom(PING_FRAME, '{"id":2,"sub":[{"ch":"run:local/n1/default"}]}', '{', '')
      .map((each) => Buffer.from(each)),
  },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each)) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 60_000, max: 140_000 }).map((bytes) => Buffer.alloc(bytes, 'x')),
  },
  { weight: 1, arbitrary: fc.nat(65_535).map((code) => closePayload(code)) },
);
const anyFrame = fc
  .record({
    opcode: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(text, binary, continuation, ping, pong, close) },
      { weight: 1, arbitrary: fc.nat(15) },
    ),
    payload,
    fin: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    reserved: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(7) }),
    masked: fc.oneof(
      { weight: 9, arbitrary: fc.constant(true) },
      { weight: 1, arbitrary: fc.constant(false) },
    ),
    claims: fc.oneof(
      { weight: 12, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
    ),
  })
  .map(({ claims, ...frame }) => rawFrame(claims === undefined ? frame : { ...frame, claims }));
const attackBytes: fc.Arbitrary<Attack> = fc.record({
  frames: fc.array(anyFrame, { minLength: 1, maxLength: 12 }),
  flips: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.array(
        fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), by: fc.integer({ min: 1, max: 255 }) }),
        { maxLength: 4 },
      ),
    },
  ),
  cut: fc.oneof(
    { weight: 3, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
  ),
  pieces: fc.constantFrom(1_000_000, 1_000_000, 997, 1),
});

/** Sends the bytes and then ends its own side. The other side must end too, with a code that may be sent or with none. */
async function attackWith(attack: Attack): Promise<void> {
  using raw = await RawWebSocket.upgraded(system.url);
  const bytes = Buffer.concat(attack.frames);
  for (const { at, by } of attack.flips) {
    const place = Math.min(bytes.length - 1, Math.floor(at * bytes.length));
    bytes[place] = bytes[place]! ^ by;
  }
  const sent = bytes.subarray(0, Math.ceil(attack.cut * bytes.length));
  const size = Math.max(attack.pieces, Math.ceil(sent.length / 2_000));
  for (let from = 0; from < sent.length; from += size) raw.write(sent.subarray(from, from + size));
  raw.socket.end();
  await ends(raw);
  const code = raw.closeCode ?? 1_005;
  expect(code).toBeGreaterThanOrEqual(1_000);
  expect(code).toBeLessThan(5_000);
  expect([1_004, 1_006, 1_015]).not.toContain(code);
}

async function ends(raw: RawWebSocket, withinMs = END_MS_MAX): Promise<void> {
  let isOver = false;
  void raw.over.then(() => {
    isOver = true;
  });
  if (!(await comesToHold(() => isOver, withinMs)))
    throw new Error(`the connection has not ended in ${withinMs} ms`);
}
