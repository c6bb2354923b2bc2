import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { probe } from './probe.ts';

const NAME = 'runlog-doctor-test';
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

let folder: string;
let io: TopicIo;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'probe-'));
  io = await openEmbedded({ folder, logger });
});
afterEach(async () => {
  await io[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** The log, some of whose operations are others. */
function changed(change: Partial<TopicIo>): TopicIo {
  const own = ['ensureTopics', 'deleteTopic', 'writer', 'fencedWriter', 'reader'] as const;
  const bound = Object.fromEntries(own.map((name) => [name, (io[name] as () => unknown).bind(io)]));
  return { engine: 'embedded', ...bound, ...change } as unknown as TopicIo;
}

async function probed(of: TopicIo, signal = new AbortController().signal) {
  const { findings } = await probe({
    ...{ io: of, name: NAME, partitions: 2, deletion: 'kafka-topics.sh --delete', rights: ['kafka-acls.sh'] },
    ...{ signal, now: Date.now, step: () => {} },
  });
  expect(await io.describeTopic(NAME)).toBeNull();
  return findings.map(({ name, status, message, remedy }) => ({ name, status, message, remedy }));
}

const refuse = (code: 'denied' | 'unavailable') => async () => {
  throw new TopicIoError(code, 'NO');
};

it('writes, transacts, fences, reads and deletes', async () => {
  expect((await probed(io)).map(({ status, name }) => `${status} ${name}`)).toEqual(
    ['create', 'write', 'transact', 'read', 'delete'].map((name) => `ok ${name}`),
  );
});

it('skips what is not allowed, with the rights that it takes, and reads the rest', async () => {
  expect(await probed(changed({ ensureTopics: refuse('denied') }))).toMatchObject([
    { name: 'create', status: 'skipped', remedy: ['kafka-acls.sh'] },
  ]);
  const without = await probed(changed({ fencedWriter: refuse('denied') }));
  expect(without.map(({ status, name }) => `${status} ${name}`)).toEqual([
    ...['ok create', 'ok write', 'skipped transact', 'ok read', 'ok delete'],
  ]);
});

it('deletes its topic after a fault, and although nobody knows whether it was made', async () => {
  const unread = await probed(changed({ writer: refuse('unavailable') }));
  expect(unread.map(({ status, name }) => `${status} ${name}`)).toEqual([
    ...['ok create', 'failed write', 'ok delete'],
  ]);
  const lost: TopicIo['ensureTopics'] = async (specs) => {
    await io.ensureTopics(specs);
    throw new TopicIoError('unavailable', 'no answer');
  };
  expect((await probed(changed({ ensureTopics: lost }))).at(-1)).toMatchObject({
    name: 'delete',
    status: 'ok',
  });
});

it('finds a log that does not fence, and one that shows what was not committed', async () => {
  const found = await probed(
    changed({
      fencedWriter: async (id) => {
        const writer = await io.fencedWriter(`${id}-${Math.random()}`);
        return writer;
      },
    }),
  );
  expect(found).toContainEqual(
    expect.objectContaining({
      name: 'transact',
      status: 'failed',
      message: expect.stringContaining('not fenced'),
    }),
  );
});

it('stops at a signal, and deletes what it made', async () => {
  const controller = new AbortController();
  const held = changed({
    writer: () => {
      controller.abort();
      return new Promise(() => undefined);
    },
  });
  const found = await probed(held, controller.signal);
  expect(found.map(({ status, name }) => `${status} ${name}`)).toEqual([
    ...['ok create', 'skipped write', 'ok delete'],
  ]);
});

it('says what to type if the topic cannot be deleted', async () => {
  const { findings } = await probe({
    ...{
      io: changed({ deleteTopic: refuse('denied') }),
      name: NAME,
      partitions: 1,
      deletion: 'kafka-topics.sh --delete',
    },
    ...{ rights: [], signal: new AbortController().signal, now: Date.now, step: () => {} },
  });
  expect(findings.at(-1)).toMatchObject({
    name: 'delete',
    status: 'failed',
    remedy: ['kafka-topics.sh --delete'],
  });
});
