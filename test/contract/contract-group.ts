import type { Assignment, GroupMember, TopicIo } from '@runlog/topic-io/topic-io';
import { describe, expect, it, onTestFinished } from 'vitest';
import { uniqueName } from '../support/unique-name.ts';
import { type ContractContext, createTopic } from './contract-context.ts';

interface FollowedMember {
  readonly member: GroupMember;
  latest(): Assignment | undefined;
  leave(): Promise<void>;
}

/** Joins the group and keeps the newest assignment. */
async function join(io: TopicIo, where: { group: string; topic: string }): Promise<FollowedMember> {
  const member = await io.groupMember(where);
  let latest: Assignment | undefined;
  const following = (async () => {
    for await (const assignment of member) latest = assignment;
  })();
  const leave = async (): Promise<void> => {
    await member[Symbol.asyncDispose]();
    await following;
  };
  onTestFinished(leave);
  return { member, latest: () => latest, leave };
}

const partitionsOf = (followed: FollowedMember): number[] =>
  [...(followed.latest()?.partitions ?? [])].sort((a, b) => a - b);

export function describeGroups(context: ContractContext): void {
  describe('a group', () => {
    it('gives every partition to a lone member', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 4 });
      const alone = await join(io, { group: uniqueName('group'), topic });
      await expect.poll(() => partitionsOf(alone)).toEqual([0, 1, 2, 3]);
      const generation = alone.latest()?.generation ?? -1;
      expect(await alone.member.confirm(generation)).toBe(true);
    });

    it('shares the partitions with a second member and takes them back when it leaves', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 5 });
      const group = uniqueName('group');
      const first = await join(io, { group, topic });
      await expect.poll(() => partitionsOf(first)).toEqual([0, 1, 2, 3, 4]);
      const alone = first.latest()?.generation ?? -1;

      const second = await join(io, { group, topic });
      // Each member learns of the new generation at a different time. Until both have, the first may still hold all
      // partitions.
      const both = () => [first, second];
      await expect
        .poll(() => ({
          partitions: both().flatMap(partitionsOf).sort(),
          withoutAny: both().filter((one) => partitionsOf(one).length === 0).length,
          generations: new Set(both().map((one) => one.latest()?.generation)).size,
        }))
        .toEqual({ partitions: [0, 1, 2, 3, 4], withoutAny: 0, generations: 1 });
      const shared = first.latest()?.generation ?? -1;
      expect(shared).toBeGreaterThan(alone);
      expect(await first.member.confirm(alone)).toBe(false);
      expect(await Promise.all([first, second].map((one) => one.member.confirm(shared)))).toEqual([
        true,
        true,
      ]);

      await second.leave();
      await expect.poll(() => partitionsOf(first)).toEqual([0, 1, 2, 3, 4]);
      expect(first.latest()?.generation).toBeGreaterThan(shared);
      expect(await first.member.confirm(shared)).toBe(false);
    });

    it('gives an empty share if there are more members than partitions', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 1 });
      const group = uniqueName('group');
      const members = [await join(io, { group, topic }), await join(io, { group, topic })];
      await expect
        .poll(() => {
          const generations = new Set(members.map((one) => one.latest()?.generation));
          return [generations.size, members.map((one) => partitionsOf(one).length).sort()];
        })
        .toEqual([1, [0, 1]]);
    });

    it('shares evenly, moves to a member that joins only what it gets, and takes from nobody when one leaves', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 50 });
      const group = uniqueName('group');
      const sharedEvenly = async (members: readonly FollowedMember[]): Promise<number[][]> => {
        const least = Math.floor(50 / members.length);
        await expect
          .poll(() => ({
            partitions: members.flatMap(partitionsOf).length,
            different: new Set(members.flatMap(partitionsOf)).size,
            uneven: members.filter((one) => partitionsOf(one).length - least > 1).length,
            generations: new Set(members.map((one) => one.latest()?.generation)).size,
          }))
          .toEqual({ partitions: 50, different: 50, uneven: 0, generations: 1 });
        return members.map(partitionsOf);
      };
      const [first, second] = [await join(io, { group, topic }), await join(io, { group, topic })];
      const two = await sharedEvenly([first, second]);
      const third = await join(io, { group, topic });
      const three = await sharedEvenly([first, second, third]);
      if (!context.sharesStay()) return;
      expect(two[0]).toEqual(expect.arrayContaining(three[0]!));
      expect(two[1]).toEqual(expect.arrayContaining(three[1]!));
      await first.leave();
      const rest = await sharedEvenly([second, third]);
      expect(rest[0]).toEqual(expect.arrayContaining(three[1]!));
      expect(rest[1]).toEqual(expect.arrayContaining(three[2]!));
    });

    it('keeps groups apart', async () => {
      const io = context.io();
      const topic = await createTopic(io, { partitions: 2 });
      const one = await join(io, { group: uniqueName('group'), topic });
      const other = await join(io, { group: uniqueName('group'), topic });
      await expect
        .poll(() => [partitionsOf(one), partitionsOf(other)])
        .toEqual([
          [0, 1],
          [0, 1],
        ]);
    });

    it('ends the iteration when the member is disposed or aborted, and confirms nothing any more', async () => {
      const io = context.io();
      const topic = await createTopic(io);
      const abort = new AbortController();
      await using aborted = await io.groupMember({ group: uniqueName('group'), topic, signal: abort.signal });
      const iterator = aborted[Symbol.asyncIterator]();
      expect((await iterator.next()).value).toMatchObject({ partitions: [0] });
      const waiting = iterator.next();
      abort.abort();
      expect((await waiting).done).toBe(true);

      const left = await join(io, { group: uniqueName('group'), topic });
      await expect.poll(() => partitionsOf(left)).toEqual([0]);
      await left.leave();
      await left.leave();
      expect(await left.member.confirm(left.latest()?.generation ?? -1)).toBe(false);
    });
  });
}
