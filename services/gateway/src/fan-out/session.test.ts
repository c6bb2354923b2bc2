import { STREAM_CHANNELS_MAX, STREAM_UNACKNOWLEDGED_MS_MAX, STREAM_VIEWS_MAX } from '@runlog/schema/limits';
import type { ServerFrameFields } from '@runlog/schema/stream/server-frames';
import { describe, expect, it } from 'vitest';
import { MadeUpRuns } from '../made-up/made-up-runs.ts';
import { ManualClock } from '../made-up/manual-clock.ts';
import { Hub } from './hub.ts';
import { Session } from './session.ts';

const KEY = 'c1/r1/default';
const CH = `run:${KEY}`;

function setUp(options: { withKeys?: boolean } = {}) {
  const runs = new MadeUpRuns();
  const clock = new ManualClock(Date.UTC(2026, 0, 3, 23, 59, 50));
  const hub = new Hub({
    ...{ epoch: runs.epoch, states: runs.states, figures: runs.figures, clock },
    readUpTo: () => 0,
  });
  const frames: ServerFrameFields[] = [];
  const outlet = {
    hasRoom: true,
    push: ({ text }: { text: string }) => frames.push(JSON.parse(text) as ServerFrameFields),
  };
  const auth = {
    viewer: null,
    viewerOf: () => null,
    onRefused: () => undefined,
  };
  const session = new Session({ hub, outlet, clock, ...(options.withKeys === true ? { auth } : {}) });
  const ask = (frame: unknown) => {
    frames.length = 0;
    session.receive(typeof frame === 'string' ? frame : JSON.stringify(frame));
    return frames;
  };
  return { runs, clock, hub, frames, session, ask };
}

const badFrame = (id: number | null, text: string | RegExp) => ({
  id,
  error: { code: 'bad_frame', message: expect.stringMatching(text) as string, retry: false },
});

describe('a session answers one error to', () => {
  it.each<[unknown, number | null, string | RegExp]>([
    [{ id: 1, ping: true, sub: 5 }, 1, /exactly one of/],
    [{ id: 1, unsub: [], sub: 5 }, 1, /exactly one of/],
    [{ id: 1, ping: true, auth: 5 }, 1, /exactly one of/],
    [{ id: 1, sub: 5 }, 1, /"sub" is not valid/],
    [{ id: 1, sub: null }, 1, /"sub" is not valid/],
    [{ id: 1, sub: {} }, 1, /"sub" is not valid/],
    [{ id: 1, sub: [null] }, 1, /sub\[0\]: an item/],
    [{ id: 1, sub: [[]] }, 1, /sub\[0\]: an item/],
    [{ id: 1, sub: [{ ch: 5 }] }, 1, /sub\[0\]: "ch"/],
    [{ id: 1, sub: [{}] }, 1, /sub\[0\]: "ch"/],
    [{ id: 1, unsub: 5 }, 1, /"unsub" is not valid/],
    [{ id: 1, unsub: [5] }, 1, /"unsub.0" is not valid/],
    [{ id: 1, ping: false }, 1, /"ping" is not valid/],
    [{ id: 1, ping: true, more: 1 }, 1, /no option "more"/],
    [{ id: 1, ack: [] }, 1, /"ack" is not valid/],
    [{ id: 1, ack: { [CH]: 'x' } }, 1, /"ack.run:c1\/r1\/default" is not valid/],
    [{ id: 1, constructor: true }, 1, /a frame has one of/],
    [{ id: 1, toString: 1, ping: true }, 1, /no option "toString"/],
    ['{"id":1,"__proto__":{"ping":true}}', 1, /a frame has one of/],
    [{ id: 1 }, 1, /a frame has one of/],
    [{ id: 1.5, ping: true }, null, /"id"/],
    [{ id: '1', ping: true }, null, /"id"/],
    [{ ping: true }, null, /"id"/],
    [null, null, /one JSON object/],
    [[], null, /one JSON object/],
    [5, null, /one JSON object/],
    ['{"id":1', null, /one JSON object/],
    ['nonsense', null, /one JSON object/],
  ])('%j', (frame, id, text) => {
    const { ask } = setUp();
    expect(ask(frame)).toEqual([badFrame(id, text)]);
    expect(ask({ id: 2, ping: true })).toEqual([{ id: 2, pong: true }]);
  });

  it('a verb other than a key, while it has shown none', () => {
    const { ask } = setUp({ withKeys: true });
    expect(ask({ id: 1, ping: true, auth: 5 })).toEqual([badFrame(1, /exactly one of/)]);
    expect(ask({ id: 1, ack: {} })).toMatchObject([{ id: 1, error: { code: 'unauthorized' } }]);
    expect(ask({ id: 1, sub: [{ ch: CH }] })).toMatchObject([
      { id: 1, ch: CH, error: { code: 'unauthorized' } },
    ]);
  });

  it('an option that its kind of channel does not have, by name', () => {
    const { ask } = setUp();
    const of = (item: object) => ask({ id: 1, sub: [item] });
    expect(of({ ch: CH, mode: 'latest' })).toMatchObject([badFrame(1, /sub\[0\]: .*no option "mode"/)]);
    expect(of({ ch: CH, limit: 5 })).toMatchObject([badFrame(1, /no option "limit"/)]);
    expect(of({ ch: 'runs:*', since: null })).toMatchObject([badFrame(1, /no option "since"/)]);
    expect(of({ ch: `figures:${KEY}`, q: 'x' })).toMatchObject([badFrame(1, /no option "q"/)]);
    expect(of({ ch: CH, min_interval_ms: 60_001 })).toMatchObject([badFrame(1, /"min_interval_ms"/)]);
    expect(of({ ch: CH, severity: ['loud'] })).toMatchObject([badFrame(1, /"severity.0"/)]);
    expect(of({ ch: CH, not_type: ['lower'] })).toMatchObject([badFrame(1, /"not_type.0"/)]);
    expect(of({ ch: CH, slot: ['a,b'] })).toMatchObject([badFrame(1, /"slot.0".* comma/)]);
    expect(of({ ch: CH, since: { epoch: 'e1', seq: 1, more: 2 } })).toMatchObject([badFrame(1, /more/)]);
    expect(of({ ch: 'runs:*', sort: 'colour' })).toMatchObject([badFrame(1, /"sort"/)]);
    expect(of({ ch: 'runs:*', status: ['late'] })).toMatchObject([badFrame(1, /"status.0"/)]);
    expect(of({ ch: 'runs:*', group_by: 'run_id' })).toMatchObject([
      badFrame(1, /"group_by" .*"cluster_id"/),
    ]);
    expect(of({ ch: 'runs:*', where: [] })).toMatchObject([badFrame(1, /"where"/)]);
    expect(of({ ch: 'runs:*', where: ['batch>1', 'acc>80'] })).toMatchObject([
      badFrame(1, /"where.1" is not valid: there is no field "acc" to compare; there are accuracy, reward,/),
    ]);
  });
});

describe('a session', () => {
  it('answers every item of a subscription, the good ones beside the bad', () => {
    const { ask } = setUp();
    const frames = ask({
      id: 3,
      sub: [null, { ch: CH }, { ch: 'logs:x' }, { ch: `figures:${KEY}` }, { ch: 'run:a' }],
    });
    expect(frames.map((frame) => frame.ch ?? frame.error?.message)).toEqual([
      expect.stringContaining('sub[0]'),
      'logs:x',
      'run:a',
      CH,
      `figures:${KEY}`,
    ]);
    expect(frames[1]).toMatchObject({ id: 3, error: { code: 'bad_channel' } });
  });

  it('answers an empty subscription', () => {
    const { ask } = setUp();
    expect(ask({ id: 4, sub: [] })).toEqual([{ id: 4, ok: true }]);
    expect(ask({ id: 5, unsub: [] })).toEqual([{ id: 5, ok: true }]);
  });

  it('takes 16 index views at once, and one more when one has been given back', () => {
    const { ask } = setUp();
    for (let at = 0; at < STREAM_VIEWS_MAX; at += 1) {
      expect(ask({ id: 1, sub: [{ ch: `runs:c${at}/*` }] })).toMatchObject([{ rows: [] }]);
    }
    expect(ask({ id: 1, sub: [{ ch: 'runs:c0/*' }] })).toMatchObject([{ rows: [] }]);
    const more = { id: 2, sub: [{ ch: 'runs:more/*' }] };
    expect(ask(more)).toMatchObject([{ ch: 'runs:more/*', error: { code: 'too_many_views' } }]);
    ask({ id: 3, unsub: ['runs:c0/*'] });
    expect(ask(more)).toMatchObject([{ rows: [] }]);
  });

  it('refuses a frame with more subscriptions than a connection may have', () => {
    const { ask } = setUp();
    const sub = Array.from({ length: STREAM_CHANNELS_MAX + 1 }, () => null);
    expect(ask({ id: 1, sub })).toMatchObject([{ id: 1, error: { code: 'too_many_channels' } }]);
  });

  it('refuses the same spread over the frames of one message', () => {
    const { ask } = setUp();
    const frame = (id: number, items: number) =>
      JSON.stringify({ id, sub: Array.from({ length: items }, () => null) });
    const answers = ask(`${frame(1, STREAM_CHANNELS_MAX)}\n${frame(2, 1)}\n${frame(3, STREAM_CHANNELS_MAX)}`);
    expect(answers).toHaveLength(STREAM_CHANNELS_MAX + 2);
    expect(answers.slice(STREAM_CHANNELS_MAX)).toMatchObject(
      [2, 3].map((id) => ({ id, error: { code: 'too_many_channels' } })),
    );
    expect(ask(frame(4, 1))).toMatchObject([{ id: 4, error: { code: 'bad_frame' } }]);
  });

  it('gives only entries that pass the filter, counts the others, and gives the state whole', () => {
    const { runs, hub, frames, ask } = setUp();
    const pruned = { eventType: 'SEED_PRUNED' };
    hub.apply([runs.append(KEY, [{}, pruned, {}])]);
    const [reply] = ask({ id: 1, sub: [{ ch: CH, type: ['SEED_PRUNED'] }] });
    expect(reply).toMatchObject({ filtered: 2, snapshot: { total_events_received: 3 } });
    expect(reply?.snapshot?.event_log.map(({ seq }) => seq)).toEqual([2]);
    frames.length = 0;
    hub.apply([runs.append(KEY, [{}, pruned, {}, pruned])]);
    hub.flush();
    expect(frames).toMatchObject([{ filtered: 2, prev: 3, seq: 7, set: { total_events_received: 7 } }]);
    expect(frames[0]?.entries?.map(({ seq }) => seq)).toEqual([5, 7]);
    const since = { epoch: 'e1', seq: 1 };
    expect(ask({ id: 1, sub: [{ ch: CH, since, q: 'pruned' }] })).toMatchObject([
      { resume: { filtered: 3, entries: [{ seq: 2 }, { seq: 5 }, { seq: 7 }] } },
    ]);
    expect(ask({ id: 1, sub: [{ ch: CH, since, not_type: ['SEED_PRUNED'] }] })).toMatchObject([
      { resume: { filtered: 3, entries: [{ seq: 3 }, { seq: 4 }, { seq: 6 }] } },
    ]);
    const planted = { eventType: 'NOTE', data: { slot_id: 'r1' } };
    hub.apply([runs.append(KEY, [planted, { ...planted, data: { slot_id: 'r2' } }])]);
    expect(ask({ id: 1, sub: [{ ch: CH, since, slot: ['r2', 'r3'] }] })).toMatchObject([
      { resume: { filtered: 7, entries: [{ seq: 9 }] } },
    ]);
  });

  it('sends one step per interval, however much happens in between', () => {
    const { runs, clock, hub, frames, ask } = setUp();
    hub.apply([runs.append(KEY, [{}])]);
    ask({ id: 1, sub: [{ ch: CH, min_interval_ms: 500 }] });
    frames.length = 0;
    for (let at = 0; at < 100; at += 1) {
      hub.apply([runs.append(KEY, [{}])]);
      clock.advance(10);
    }
    clock.advance(500);
    const steps = frames.filter((frame) => frame.entries !== undefined && frame.entries.length > 0);
    expect(steps.length).toBeGreaterThanOrEqual(2);
    expect(steps.length).toBeLessThanOrEqual(3);
    expect(steps.flatMap((frame) => frame.entries ?? []).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 100 }, (_, at) => at + 2),
    );
  });

  it('treats a client that acknowledges and falls behind as slow, until it has dealt with what it got', () => {
    const { runs, clock, hub, frames, ask } = setUp();
    const append = (count: number) => {
      hub.apply([
        runs.append(
          KEY,
          Array.from({ length: count }, () => ({})),
        ),
      ]);
      hub.flush();
    };
    append(1);
    ask({ id: 1, sub: [{ ch: CH }] });
    expect(ask({ id: 2, ack: { [CH]: 1, 'run:other': 5 } })).toEqual([{ id: 2, ok: true }]);
    frames.length = 0;
    append(1);
    expect(frames).toMatchObject([{ prev: 1, seq: 2 }]);
    clock.advance(STREAM_UNACKNOWLEDGED_MS_MAX + 1);
    append(200);
    expect(frames).toHaveLength(1);
    const answers = ask({ id: 3, ack: { [CH]: 2 } });
    expect(answers).toMatchObject([
      { lag: { skipped: { after: 2, before: 103, count: 100 } } },
      { prev: 2, seq: 202 },
      { id: 3, ok: true },
    ]);
    append(1);
    expect(frames.at(-1)).toMatchObject({ prev: 202, seq: 203 });
  });

  it('tells a client when the silence of its run has come to mean something, once', () => {
    const { runs, clock, hub, frames, ask } = setUp();
    hub.apply([runs.append(KEY, [{}])]);
    expect(ask({ id: 1, sub: [{ ch: CH }] })).toMatchObject([{ snapshot: { state: 'running' } }]);
    frames.length = 0;
    for (let second = 0; second < 59; second += 1) clock.advance(1_000);
    expect(frames.filter(({ set }) => set?.state !== undefined)).toEqual([]);
    for (let second = 0; second < 120; second += 1) clock.advance(1_000);
    const told = frames.filter(({ set }) => set?.state !== undefined);
    expect(told).toMatchObject([{ prev: 1, seq: 1, entries: [], set: { state: 'quiet' } }]);
    hub.apply([runs.append(KEY, [{ receivedAtMs: clock.now() }])]);
    hub.flush();
    expect(frames.at(-1)).toMatchObject({ prev: 1, seq: 2, set: { state: 'running' } });
  });

  it('never slows a client that does not acknowledge', () => {
    const { runs, clock, hub, frames, ask } = setUp();
    hub.apply([runs.append(KEY, [{}])]);
    ask({ id: 1, sub: [{ ch: CH }] });
    frames.length = 0;
    for (let at = 0; at < 3; at += 1) {
      clock.advance(STREAM_UNACKNOWLEDGED_MS_MAX + 1);
      hub.apply([runs.append(KEY, [{}])]);
      hub.flush();
    }
    expect(frames.map(({ seq }) => seq)).toEqual([2, 3, 4]);
  });
});
