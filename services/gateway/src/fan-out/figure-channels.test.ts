import { applyFiguresStep } from '@runlog/client/apply-figures-step';
import type { ReadonlyFigureStates } from '@runlog/run-feed/figure-states';
import type { RunChange } from '@runlog/run-feed/run-change';
import { deliverFigures, noFigures } from '@runlog/run-state/figures/deliver-figures';
import type { RunFigures } from '@runlog/schema/run/figures';
import { parseRunKey } from '@runlog/schema/run/run-key';
import {
  type FiguresStep,
  type ServerFrameFields,
  serverFrameSchemas,
} from '@runlog/schema/stream/server-frames';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { type MadeUpEvent, MadeUpRuns } from '../made-up/made-up-runs.ts';
import { ManualClock } from '../made-up/manual-clock.ts';
import { Hub } from './hub.ts';
import { Session } from './session.ts';

const START_MS = Date.UTC(2026, 0, 3, 23, 59, 50);
const KEY = 'c1/r1/default';

/** A client that holds the figures of runs as its frames say. Its connection has room until it is told otherwise. */
class TestClient {
  readonly session: Session;
  readonly frames: ServerFrameFields[] = [];
  readonly held = new Map<string, RunFigures>();
  #hasRoom = true;

  constructor(options: { hub: Hub; clock: ManualClock }) {
    const hasRoom = () => this.#hasRoom;
    this.session = new Session({
      ...options,
      outlet: {
        get hasRoom() {
          return hasRoom();
        },
        push: ({ text }) => this.#read(JSON.parse(text) as ServerFrameFields),
      },
    });
  }

  set hasRoom(hasRoom: boolean) {
    this.#hasRoom = hasRoom;
    if (hasRoom) this.session.drained();
  }

  subscribe(key = KEY): void {
    this.session.receive(JSON.stringify({ id: 4, sub: [{ ch: `figures:${key}` }] }));
  }

  unsubscribe(key = KEY): void {
    this.session.receive(JSON.stringify({ id: 5, unsub: [`figures:${key}`] }));
    this.held.delete(`figures:${key}`);
  }

  #read(frame: ServerFrameFields): void {
    this.frames.push(frame);
    const { ch, reset, figures } = frame;
    if (ch === undefined) return;
    const kind = reset !== undefined ? 'figures_reset' : frame.id === 4 ? 'figures' : 'figures_step';
    serverFrameSchemas[kind].parse(frame);
    if (reset !== undefined) this.held.set(ch, (reset as { figures: RunFigures }).figures);
    else if (frame.id === 4) this.held.set(ch, figures as RunFigures);
    else {
      const next = applyFiguresStep(this.held.get(ch)!, frame as FiguresStep);
      expect(next).not.toBeNull();
      this.held.set(ch, next!);
    }
  }
}

/** Counts how often figures are looked up. */
class CountedFigures implements ReadonlyFigureStates {
  looks = 0;
  readonly #runs: MadeUpRuns;

  constructor(runs: MadeUpRuns) {
    this.#runs = runs;
  }

  get(key: string) {
    this.looks += 1;
    return this.#runs.figures.get(key);
  }

  spark(key: string) {
    return this.#runs.figures.spark(key);
  }
}

function setUp() {
  const runs = new MadeUpRuns();
  const clock = new ManualClock(START_MS);
  const figures = new CountedFigures(runs);
  const hub = new Hub({ epoch: runs.epoch, states: runs.states, figures, clock });
  const append = (events: readonly MadeUpEvent[], key = KEY) => hub.apply([runs.append(key, events)]);
  const join = (key = KEY) => {
    const client = new TestClient({ hub, clock });
    client.subscribe(key);
    return client;
  };
  return { runs, clock, hub, figures, append, join };
}

function wholeOf(runs: MadeUpRuns, key = KEY): RunFigures {
  const state = runs.figures.get(key);
  return state === undefined ? noFigures(parseRunKey(key)!) : deliverFigures(state);
}

const metrics = (data: Readonly<Record<string, unknown>>): MadeUpEvent => ({ eventType: 'METRICS', data });
const many = (count: number, event: MadeUpEvent): MadeUpEvent[] => Array.from({ length: count }, () => event);

describe('the figures of a run', () => {
  it('are answered whole, and then only what changed is sent, from its first changed bucket on', () => {
    const { runs, clock, append, join } = setUp();
    append([...many(3, metrics({ loss: 4 })), metrics({ lr: 1 })]);
    const client = join();
    expect(client.frames).toEqual([{ id: 4, ch: `figures:${KEY}`, figures: wholeOf(runs) }]);
    append([metrics({ loss: 2 })]);
    clock.advance(0);
    expect(client.frames).toHaveLength(2);
    const { prev, seq, figures } = client.frames[1] as FiguresStep;
    expect([prev, seq]).toEqual([4, 5]);
    const changed = figures.filter(({ name }) => name === 'loss');
    expect(changed).toMatchObject([{ from: 3, points: 4, last: [2], count: [1] }]);
    expect(figures.map(({ name }) => name)).not.toContain('lr');
    expect(client.held.get(`figures:${KEY}`)).toEqual(wholeOf(runs));
  });

  it('are sent at most once a second, and not while nothing changes in them', () => {
    const { runs, clock, append, join } = setUp();
    append([metrics({ loss: 1 })]);
    const client = join();
    for (let at = 0; at < 50; at += 1) {
      append([metrics({ loss: at })]);
      clock.advance(100);
    }
    expect(client.frames.length).toBeGreaterThan(4);
    expect(client.frames.length).toBeLessThanOrEqual(7);
    clock.advance(2_000);
    const sent = client.frames.length;
    append([{ eventType: 'RUN_HEARTBEAT' }, { eventType: 'SEED_PRUNED' }]);
    clock.advance(2_000);
    expect(client.frames).toHaveLength(sent);
    append([metrics({ loss: 5 })]);
    clock.advance(0);
    expect(client.held.get(`figures:${KEY}`)).toEqual(wholeOf(runs));
    expect(clock.pending).toBe(0);
  });

  it('come whole after their neighbours were merged', () => {
    const { runs, clock, append, join } = setUp();
    append(many(192, metrics({ loss: 1 })));
    const client = join();
    append([metrics({ loss: 2 })]);
    clock.advance(0);
    const { figures } = client.frames.at(-1) as FiguresStep;
    const loss = figures.find(({ name }) => name === 'loss');
    expect(loss).toMatchObject({ from: 0, stride: 2, points: 193 });
    expect(loss?.x).toHaveLength(97);
    expect(client.held.get(`figures:${KEY}`)).toEqual(wholeOf(runs));
  });

  it('are empty while there is no run, and its first step comes from null', () => {
    const { runs, clock, append, join } = setUp();
    const client = join();
    expect(client.frames[0]).toMatchObject({ id: 4, figures: { run_id: 'r1', position: null, figures: [] } });
    append([{ eventType: 'RUN_HEARTBEAT' }]);
    clock.advance(0);
    expect(client.frames[1]).toMatchObject({ prev: null, seq: 1, epoch: 'e1', figures: [] });
    append([metrics({ loss: 1 })]);
    clock.advance(1_000);
    expect(client.frames[2]).toMatchObject({ prev: 1, seq: 2 });
    expect(client.held.get(`figures:${KEY}`)).toEqual(wholeOf(runs));
  });

  it('name those that are refused', () => {
    const { runs, clock, append, join } = setUp();
    const client = join();
    append([metrics(Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`f${at + 10}`, at])))]);
    clock.advance(0);
    const held = client.held.get(`figures:${KEY}`);
    expect(held?.figures).toHaveLength(48);
    expect(held?.figures_refused).toBeGreaterThan(0);
    expect(held).toEqual(wholeOf(runs));
    append([metrics({ later: 1 })]);
    clock.advance(1_000);
    expect(client.frames.at(-1)).toMatchObject({ refused: expect.arrayContaining(['later']) });
  });

  it('are worked out once for all subscribers, and never for a run without any', () => {
    const { clock, figures, append, join } = setUp();
    const step = () => {
      append([metrics({ loss: 1 })]);
      append([metrics({ loss: 1 })], 'c1/other/default');
      clock.advance(1_000);
      const { looks } = figures;
      figures.looks = 0;
      return looks;
    };
    expect(step()).toBe(0);
    expect(clock.pending).toBe(0);
    const first = join();
    step();
    const forOne = step();
    expect(forOne).toBeGreaterThan(0);
    const others = Array.from({ length: 20 }, () => join());
    step();
    expect(step()).toBe(forOne);
    for (const client of [first, ...others]) client.unsubscribe();
    figures.looks = 0;
    expect(step()).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('are encoded once for clients that come together', () => {
    const { hub, clock, append, join } = setUp();
    append([metrics({ loss: 1 })]);
    append([metrics({ loss: 1 })], 'c1/other/default');
    using stringify = vi.spyOn(JSON, 'stringify');
    const encoded = () =>
      stringify.mock.calls.filter(([value]) => typeof value === 'object' && 'figures_refused' in value)
        .length;
    const clients = Array.from({ length: 10 }, () => join());
    expect(encoded()).toBe(1);
    for (const { frames } of clients) expect(frames).toEqual(clients[0]!.frames);
    join('c1/other/default');
    expect(encoded()).toBe(2);
    hub.switchTo(new MadeUpRuns({ epoch: 'e2' }));
    clock.advance(0);
    expect(clients.map(({ held }) => held.get(`figures:${KEY}`)?.position)).toEqual(clients.map(() => null));
  });

  it('are left out for a client without room, which gets the whole again when it has some', () => {
    const { runs, clock, append, join } = setUp();
    const slow = join();
    const swift = join();
    slow.hasRoom = false;
    for (let at = 0; at < 5; at += 1) {
      append(many(60, metrics({ loss: at })));
      clock.advance(1_000);
    }
    expect(slow.frames).toHaveLength(1);
    expect(swift.frames).toHaveLength(6);
    slow.hasRoom = true;
    expect(slow.frames.slice(1)).toEqual([
      { ch: `figures:${KEY}`, reset: { reason: 'this client was too slow', figures: wholeOf(runs) } },
    ]);
    append([metrics({ loss: 9 })]);
    clock.advance(1_000);
    for (const client of [slow, swift]) expect(client.held.get(`figures:${KEY}`)).toEqual(wholeOf(runs));
  });

  it('begin anew after a retirement', () => {
    const { runs, clock, hub, append, join } = setUp();
    append(many(5, metrics({ loss: 1 })));
    const client = join();
    hub.apply([runs.retire(KEY)]);
    clock.advance(0);
    expect(client.frames.at(-1)).toMatchObject({ reset: { reason: 'retired', figures: { position: null } } });
    append([metrics({ loss: 2 })]);
    clock.advance(1_000);
    expect(client.frames.at(-1)).toMatchObject({ prev: null, seq: 7, epoch: 'e1' });
    hub.apply([runs.retire(KEY), runs.append(KEY, many(9, metrics({ loss: 3 })))]);
    clock.advance(1_000);
    expect(client.frames.at(-1)).toMatchObject({ reset: { reason: 'the run began anew' } });
    expect(client.held.get(`figures:${KEY}`)).toEqual(wholeOf(runs));
  });

  it('begin anew for a client that came before the first step of a run that is retired then', () => {
    const { runs, clock, hub, append, join } = setUp();
    const early = join();
    append([metrics({ loss: 1 })]);
    const late = join();
    hub.apply([runs.retire(KEY)]);
    clock.advance(1_000);
    for (const client of [early, late]) expect(client.held.get(`figures:${KEY}`)).toEqual(wholeOf(runs));
  });

  it('begin anew after a rebuild, and go on from the new ones', () => {
    const { clock, hub, append, join } = setUp();
    append(many(5, metrics({ loss: 1 })));
    const client = join();
    append([metrics({ loss: 2 })]);
    const rebuilt = new MadeUpRuns({ epoch: 'e2' });
    rebuilt.append(KEY, many(6, metrics({ loss: 3 })));
    hub.switchTo(rebuilt);
    expect(client.frames.at(-1)).toEqual({
      ch: `figures:${KEY}`,
      reset: { reason: 'the snapshots were rebuilt', figures: wholeOf(rebuilt) },
    });
    hub.apply([rebuilt.append(KEY, [metrics({ loss: 4 })])]);
    clock.advance(1_000);
    expect(client.frames.at(-1)).toMatchObject({ prev: 6, seq: 7 });
    expect(client.held.get(`figures:${KEY}`)).toEqual(wholeOf(rebuilt));
  });

  it('reach every client, whatever subscriptions, slowness and retirements come', () => {
    const keys = [KEY, 'c1/r2/default'];
    const key = fc.constantFrom(...keys);
    const client = fc.nat(2);
    const events = fc
      .tuple(
        fc.dictionary(fc.constantFrom('loss', 'lr'), fc.integer()),
        fc.constantFrom(1, 3, 100),
        fc.boolean(),
      )
      .map(([data, count, isDuplicate]) => many(count, { ...metrics(data), isDuplicate }));
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant('append' as const), key, events }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('retire' as const), key }) },
      // The fold runs ahead of the changes that are handed out.
      { weight: 4, arbitrary: fc.record({ do: fc.constant('hand_out' as const), count: fc.nat(4) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('subscribe' as const), client, key }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('unsubscribe' as const), client, key }) },
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constant('room' as const), client, hasRoom: fc.boolean() }),
      },
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 400, 3_000) }),
      },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const { runs, clock, hub } = setUp();
        const clients = [0, 1, 2].map(() => new TestClient({ hub, clock }));
        const changes: RunChange[] = [];
        for (const step of steps) {
          switch (step.do) {
            case 'append':
              changes.push(runs.append(step.key, step.events));
              break;
            case 'retire':
              changes.push(runs.retire(step.key));
              break;
            case 'hand_out':
              hub.apply(changes.splice(0, step.count));
              break;
            case 'subscribe':
              clients[step.client]!.subscribe(step.key);
              break;
            case 'unsubscribe':
              clients[step.client]!.unsubscribe(step.key);
              break;
            case 'room':
              clients[step.client]!.hasRoom = step.hasRoom;
              break;
            case 'wait':
              clock.advance(step.ms);
              break;
          }
        }
        hub.apply(changes);
        clock.advance(3_000);
        for (const each of clients) each.hasRoom = true;
        for (const each of clients) {
          for (const [ch, held] of each.held) {
            // A duplicate moves the position and changes no figure.
            const { position: _, ...figures } = wholeOf(runs, ch.slice('figures:'.length));
            expect(held).toMatchObject(figures);
          }
          each.session.dispose();
        }
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
