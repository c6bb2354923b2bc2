import { type ServerFrame, serverFrameSchemas } from '@runlog/schema/stream/server-frames';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chosenSeed } from '../chaos/seed.ts';
import { comesToHold } from '../chaos/until.ts';
import { FramesDue, type SentMessage } from '../support/frames-due.ts';
import { FuzzedSystem, fuzzMs, fuzzTimeout, Witness } from '../support/fuzzed-system.ts';
import { madeMessages } from '../support/made-frames.ts';
import { type AnyFrame, StreamSocket } from '../support/stream-socket.ts';

/** The time that one of the two systems is attacked in CI. */
const ATTACK_MS = 15_000;
const CASES_PER_ROUND = 25;
/** Far above what an answer takes. A frame that is not answered by then never is. */
const ANSWER_MS_MAX = 60_000;
/** A failure is made smaller for so long. */
const ROUND_MS_MAX = 180_000;
const MIB = 2 ** 20;
const RUNS = ['n1', 'n2', 'n3'];

/** The frames that once ended the process, and their kind. None has a key, and each gets one answer. */
const deadly: readonly (readonly [text: string, id: number | null])[] = [
  ['{"id":1,"ping":true,"sub":5}', 1],
  ['{"id":1,"sub":[null]}', 1],
  ['{"id":1,"sub":[{"ch":5}]}', 1],
  ['{"id":1,"unsub":5}', 1],
  ['{"id":1,"unsub":[],"sub":5}', 1],
  ['{"id":1,"ping":true,"auth":5}', 1],
  ['{"id":1,"sub":5}', 1],
  ['{"id":1,"sub":{"length":3}}', 1],
  ['{"id":1,"sub":[[]]}', 1],
  ['{"id":1,"sub":[{"ch":{"split":1}}]}', 1],
  ['{"id":1,"unsub":[null]}', 1],
  ['{"id":1,"unsub":{"length":1}}', 1],
  ['{"id":1,"unsub":[{"length":{"toString":null}}]}', 1],
  ['{"id":1,"ack":null}', 1],
  ['{"id":1,"ack":{"run:a/b/c":"1"}}', 1],
  ['{"id":1,"ack":[1]}', 1],
  ['{"id":1,"auth":null}', 1],
  ['{"id":1,"__proto__":{"ping":true}}', 1],
  ['{"id":1,"constructor":{"prototype":{"ping":true}}}', 1],
  ['{"id":1,"toString":true}', 1],
  ['{"id":null,"ping":true}', null],
  ['{"id":1e999,"ping":true}', null],
  ['{"ping":true}', null],
  ['null', null],
  ['5', null],
  ['[{"id":1,"ping":true}]', null],
  ['{"id":NaN,"ping":true}', null],
];

const seed = chosenSeed(process.env);

describe.each([
  { name: 'without keys', withKeys: false },
  { name: 'with keys', withKeys: true },
])('a gateway $name', ({ withKeys }) => {
  let system: FuzzedSystem;
  let residentBefore: number;

  beforeAll(async () => {
    system = await FuzzedSystem.start({ withKeys });
    for (const run of RUNS) await system.post(run, ['first', 'second']);
    await using _warm = await Witness.start(system);
    residentBefore = await system.metric('process_resident_memory_bytes');
  });
  beforeEach(() => system.revive());
  afterAll(async () => {
    await system?.[Symbol.asyncDispose]();
  });

  it.each(deadly)('answers %s with one error, and lives', async (text, id) => {
    const { pid } = system;
    await using stream = await StreamSocket.open(system.url);
    stream.send(text);
    stream.send({ id: 2, ping: true });
    expect(await stream.next(({ error }) => error !== undefined)).toMatchObject({
      id,
      error: { retry: false },
    });
    const { pong, error } = await stream.next((frame) => frame.id === 2);
    expect(withKeys ? (error as { code: string }).code : pong).toBe(withKeys ? 'unauthorized' : true);
    expect(stream.frames.filter((frame) => 'id' in frame)).toHaveLength(2);
    await system.mustLive();
    expect(system.pid).toBe(pid);
  });

  it(
    'answers whatever a client sends as the protocol says, and others notice nothing',
    async () => {
      process.stdout.write(`stream fuzz ${withKeys ? 'with' : 'without'} keys: SEED=${seed}\n`);
      const { pid } = system;
      const words = {
        runs: RUNS.map((run) => `local/${run}/default`),
        epoch: await epochOf(system),
        secrets: [system.secret ?? 'any', system.otherSecret ?? 'any other', 'wrong', '', '__proto__'],
      };
      const attack = fc.tuple(madeMessages(words), fc.integer({ min: 0, max: 3 }));
      await using witness = await Witness.start(system);
      const endsMs = performance.now() + fuzzMs(2 * ATTACK_MS) / 2;
      let cases = 0;
      for (let round = 0; round === 0 || performance.now() < endsMs; round += 1) {
        await fc.assert(
          fc.asyncProperty(attack, async ([messages, shows]) => {
            cases += 1;
            await system.revive();
            await attackWith(system, { messages, showsKey: withKeys && shows > 0 });
            await system.mustLive();
          }),
          {
            seed: seed + round,
            numRuns: CASES_PER_ROUND,
            interruptAfterTimeLimit: ROUND_MS_MAX,
            markInterruptAsFailure: true,
          },
        );
        await system.post(RUNS[round % RUNS.length]!, [`live-${round}`]);
        witness.mustBeWell();
      }
      const stepsBefore = witness.steps;
      await expect.poll(() => witness.steps).toBeGreaterThan(stepsBefore);
      witness.mustBeWell();
      process.stdout.write(`stream fuzz: ${cases} connections, ${witness.steps} steps of the witness\n`);
      await system.mustLive();
      expect(system.pid).toBe(pid);
    },
    fuzzTimeout(ATTACK_MS),
  );

  it('holds nothing for clients that are gone, and stops in time while others send nonsense', async () => {
    for (const gauge of ['connections', 'subscriptions', 'channels', 'lagging_clients']) {
      await expect.poll(() => system.metric(`runlog_gateway_${gauge}`)).toBe(0);
    }
    expect(await system.metric('process_resident_memory_bytes')).toBeLessThan(residentBefore + 200 * MIB);
    const streams = await Promise.all(Array.from({ length: 20 }, () => StreamSocket.open(system.url)));
    for (const [at, stream] of streams.entries()) {
      stream.send(deadly[at]![0]);
      stream.socket.pause();
    }
    expect(await system.stop()).toBe(0);
    for (const { socket } of streams) socket.terminate();
  });
});

async function epochOf(system: FuzzedSystem): Promise<string> {
  const response = await fetch(`${system.url}/v1/runs/local/${RUNS[0]}/default`, { headers: system.headers });
  return ((await response.json()) as { position: { epoch: string } }).position.epoch;
}

/** Sends the messages on a connection of their own, and compares the answers with what is due. */
async function attackWith(
  system: FuzzedSystem,
  { messages, showsKey }: { messages: readonly SentMessage[]; showsKey: boolean },
): Promise<void> {
  const due = new FramesDue(system.secret === null ? null : [system.secret, system.otherSecret!]);
  await using stream = await StreamSocket.open(system.url, showsKey ? { headers: system.headers } : {});
  for (const message of [...messages, { text: JSON.stringify({ id: LAST, ping: true }) }]) {
    due.add(message);
    stream.socket.send(message.text, { binary: message.binary === true });
  }
  if (due.closesWith !== null) {
    expect((await within(ANSWER_MS_MAX, stream.closed)).code).toBe(due.closesWith);
  } else {
    await within(
      ANSWER_MS_MAX,
      stream.next(({ id }) => id === LAST),
    );
    await comesToHold(() => countFaults(stream, due, 'least').length === 0, ANSWER_MS_MAX);
    expect(countFaults(stream, due, 'least')).toEqual([]);
  }
  expect(countFaults(stream, due, 'most')).toEqual([]);
  expect(stream.frames.flatMap((frame) => formFaults(frame, due))).toEqual([]);
}

/** An id that no generated frame has. */
const LAST = Number.MIN_SAFE_INTEGER;

/** Compares the number of answers by id with the least or the most that is due. */
function countFaults(stream: StreamSocket, due: FramesDue, bound: 'least' | 'most'): string[] {
  const found = new Map<number | null, number>();
  for (const frame of stream.frames) {
    if (!('id' in frame)) continue;
    found.set(frame.id, (found.get(frame.id) ?? 0) + 1);
  }
  const bounds = due.bounds();
  return [...new Set([...found.keys(), ...bounds.keys()])].flatMap((id) => {
    const count = found.get(id) ?? 0;
    const limit = bounds.get(id)?.[bound] ?? 0;
    if (bound === 'least' ? count >= limit : count <= limit) return [];
    return [`${count} answers with the id ${id}, ${bound} is ${limit}`];
  });
}

/** Returns what is wrong with a frame by itself. */
function formFaults(frame: ServerFrame, due: FramesDue): string[] {
  const { ch, error } = frame as AnyFrame;
  const faults: string[] = [];
  if (!Object.values(serverFrameSchemas).some((schema) => schema.safeParse(frame).success)) {
    faults.push(`no frame of the protocol: ${JSON.stringify(frame).slice(0, 500)}`);
  }
  if (typeof ch === 'string' && !due.channels.has(ch)) faults.push(`nobody asked for ${ch}`);
  if (error !== undefined && JSON.stringify(error).length > 1_024) {
    faults.push(`a long error: ${JSON.stringify(error).slice(0, 500)}`);
  }
  return faults;
}

async function within<Value>(ms: number, awaited: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${ms} ms`)), ms);
  });
  return Promise.race([awaited, late]).finally(() => clearTimeout(timer));
}
