import { TopicIoError } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../made-up/manual-clock.ts';
import { LogReads, TURN_MS_MAX } from './log-reads.ts';

interface Client {
  readonly answer: Promise<string>;
  /** Ends the read, which must have begun. */
  end(error?: Error): void;
  goAway(): void;
}

class Reads {
  readonly clock = new ManualClock(0);
  readonly begun: string[] = [];
  readonly #reads: LogReads;

  constructor(bounds: { max: number; waitingMax: number }) {
    this.#reads = new LogReads({ clock: this.clock, ...bounds });
  }

  ask(name: string): Client {
    const gone = new AbortController();
    let end: Client['end'] = () => undefined;
    const ended = new Promise<string>((resolve, reject) => {
      end = (error) => (error === undefined ? resolve(name) : reject(error));
    });
    const answer = this.#reads
      .read(gone.signal, () => {
        this.begun.push(name);
        return ended;
      })
      .catch((error: { code: string }) => error.code);
    return {
      ...{ answer, end },
      goAway: () => gone.abort(),
    };
  }
}

describe('reads of the log', () => {
  it('run so many at a time, and the others in the order in which they came', async () => {
    const reads = new Reads({ max: 2, waitingMax: 10 });
    const clients = ['a', 'b', 'c', 'd'].map((name) => reads.ask(name));
    expect(reads.begun).toEqual([]);
    await Promise.resolve();
    expect(reads.begun).toEqual(['a', 'b']);
    clients[1]!.end();
    expect(await clients[1]!.answer).toBe('b');
    expect(reads.begun).toEqual(['a', 'b', 'c']);
    clients[0]!.end();
    expect(await clients[0]!.answer).toBe('a');
    expect(reads.begun).toEqual(['a', 'b', 'c', 'd']);
    for (const at of [2, 3]) clients[at]!.end();
    expect(await Promise.all(clients.slice(2).map(({ answer }) => answer))).toEqual(['c', 'd']);
    const last = reads.ask('e');
    last.end();
    expect(await last.answer).toBe('e');
  });

  it('are refused beyond the bound of those that wait, or if their turn does not come in time', async () => {
    const reads = new Reads({ max: 1, waitingMax: 1 });
    const running = reads.ask('running');
    const waiting = reads.ask('waiting');
    expect(await reads.ask('beyond').answer).toBe('overloaded');
    reads.clock.advance(TURN_MS_MAX);
    expect(await waiting.answer).toBe('overloaded');
    running.end();
    expect(await running.answer).toBe('running');
    expect(reads.begun).toEqual(['running']);
  });

  it('are refused together when the log does not answer one of them', async () => {
    const reads = new Reads({ max: 1, waitingMax: 5 });
    const clients = ['a', 'b', 'c'].map((name) => reads.ask(name));
    await Promise.resolve();
    clients[0]!.end(new TopicIoError('unavailable', 'made up'));
    const codes = await Promise.all(clients.map(({ answer }) => answer));
    expect(codes).toEqual(['log_unavailable', 'log_unavailable', 'log_unavailable']);
    expect(reads.begun).toEqual(['a']);
    const later = reads.ask('later');
    later.end();
    expect(await later.answer).toBe('later');
  });

  it('leave the others waiting when the one that fails has lost its client', async () => {
    const reads = new Reads({ max: 1, waitingMax: 5 });
    const [gone, stays] = [reads.ask('gone'), reads.ask('stays')];
    await Promise.resolve();
    gone.goAway();
    gone.end(new TopicIoError('unavailable', 'the client is gone'));
    expect(await gone.answer).toBe('log_unavailable');
    stays.end();
    expect(await stays.answer).toBe('stays');
  });

  it('lose their turn when their client goes', async () => {
    const reads = new Reads({ max: 1, waitingMax: 5 });
    const running = reads.ask('running');
    const gone = reads.ask('gone');
    const stays = reads.ask('stays');
    gone.goAway();
    expect(await gone.answer).toBe('overloaded');
    running.end();
    stays.end();
    expect(await stays.answer).toBe('stays');
    expect(reads.begun).toEqual(['running', 'stays']);
  });
});
