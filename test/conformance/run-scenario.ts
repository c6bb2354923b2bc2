import { isDeepStrictEqual } from 'node:util';
import type { ClientStarter, ClientUnderTest } from './client-under-test.ts';
import type { Command } from './commands.ts';
import { Conditions } from './conditions.ts';
import { expandFrame, type Frame } from './expand-frame.ts';
import { HandedOver } from './handed-over.ts';
import { differences, isHopeless } from './judge.ts';
import type { Scenario, Step } from './scenario.ts';
import { ScriptedHistory } from './scripted-history.ts';
import { ScriptedServer } from './scripted-server.ts';

/** A runtime may take its time to start. */
const READY_MS_MAX = 60_000;
/** After everything expected has come, so long nothing else may. */
const SETTLE_MS = 60;

export type Verdict =
  | { readonly kind: 'passed' }
  /** The client has said that it is not able to do what the scenario needs. */
  | { readonly kind: 'not_supported'; readonly ability: string }
  | { readonly kind: 'failed'; readonly faults: readonly string[] };

/**
 * Runs one scenario against a new client. `stepMsMax`: how long the client may take for what one step waits for. `nowMs`: the
 * clock by which a client is found to be too fast.
 */
export async function runScenario(
  scenario: Scenario,
  options: { client: ClientStarter; stepMsMax: number; nowMs?: () => number },
): Promise<Verdict> {
  const conditions = new Conditions(options.stepMsMax);
  await using server = await ScriptedServer.start({
    history: new ScriptedHistory({
      history: scenario.history,
      oldest: scenario.oldest,
      pageEventsMax: scenario.page_events_max,
    }),
    pages: options.client.pages,
    changed: () => conditions.changed(),
  });
  const handed = new HandedOver();
  const client = await options.client.start({
    origin: server.origin,
    onReport: (report) => {
      handed.take(report);
      conditions.changed();
    },
    onExit: (reason) => conditions.fail(reason),
  });
  const { nowMs = () => performance.now() } = options;
  const run = new Run({ scenario, server, handed, client, conditions, nowMs });
  try {
    return await run.play();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { kind: 'failed', faults: [error.message, ...run.faults()] };
  } finally {
    await client.stop();
  }
}

/** One scenario under way. */
class Run {
  readonly #scenario: Scenario;
  readonly #server: ScriptedServer;
  readonly #handed: HandedOver;
  readonly #client: ClientUnderTest;
  readonly #conditions: Conditions;
  readonly #nowMs: () => number;
  /** The ids of the frames that were received, by the name that a step gave them; '' is the newest. */
  readonly #ids = new Map<string, unknown>();
  #watchedMs = 0;
  #requestsAwaited = 0;

  constructor(parts: {
    scenario: Scenario;
    server: ScriptedServer;
    handed: HandedOver;
    client: ClientUnderTest;
    conditions: Conditions;
    nowMs: () => number;
  }) {
    this.#scenario = parts.scenario;
    this.#server = parts.server;
    this.#handed = parts.handed;
    this.#client = parts.client;
    this.#conditions = parts.conditions;
    this.#nowMs = parts.nowMs;
  }

  async play(): Promise<Verdict> {
    await this.#conditions.until(() => this.#handed.can !== null, {
      what: 'the client to say that it is ready',
      msMax: READY_MS_MAX,
    });
    const ability = this.#scenario.needs.find((needed) => !this.#handed.can!.has(needed));
    if (ability !== undefined) return { kind: 'not_supported', ability };
    await this.#all(this.#scenario.steps, 'step');
    const { expect } = this.#scenario;
    const missing = () => differences(expect, { handed: this.#handed, history: this.#server.history });
    // What does not come is told by the comparison below.
    const isOver = () => isHopeless(expect, this.#handed) || missing().length === 0;
    await this.#conditions.until(isOver, 'what is expected').catch(() => undefined);
    await this.#conditions.pause(SETTLE_MS);
    const faults = [...missing(), ...this.faults()];
    return faults.length === 0 ? { kind: 'passed' } : { kind: 'failed', faults };
  }

  /** What the client did that no client may do. */
  faults(): string[] {
    const { attempts, faults, framesLeft, history } = this.#server;
    const left = framesLeft.filter((frame) => !isAck(frame));
    return [
      ...faults,
      ...history.faults,
      ...this.#handed.faults,
      ...left.map((frame) => `the client sent a frame that it had no reason for: ${JSON.stringify(frame)}`),
      ...attempts.map(() => 'the client asked for a connection that it had no reason for'),
    ];
  }

  async #all(steps: readonly Step[], place: string): Promise<void> {
    for (const [index, step] of steps.entries()) {
      const here = `${place} ${index + 1}`;
      if ('repeat' in step) {
        for (let time = 1; time <= step.repeat.times; time += 1) {
          await this.#all(step.repeat.steps, `${here}, time ${time}, step`);
        }
      } else {
        await this.#one(step).catch((error: unknown) => {
          throw new Error(`${here} (${JSON.stringify(step).slice(0, 200)}): ${(error as Error).message}`);
        });
      }
    }
  }

  async #one(step: Exclude<Step, { repeat: unknown }>): Promise<void> {
    if ('tell' in step) this.#tell(step.tell);
    else if ('accept' in step) await this.#accept(step.accept);
    else if ('refuse' in step) {
      await this.#attempted();
      this.#server.refuse(step.refuse);
    } else if ('receive' in step) await this.#receive(step.receive, step.as);
    else if ('reply' in step) this.#reply(step.reply, step.to);
    else if ('send' in step) this.#server.connection.send(...[step.send].flat().map(expandFrame));
    else if ('send_newer' in step) this.#server.connection.send(step.send_newer);
    else if ('send_text' in step) this.#server.connection.sendText(step.send_text);
    else if ('close' in step) this.#server.connection.close(step.close);
    else if ('drop' in step) this.#server.connection.drop();
    else if ('freeze' in step) this.#server.connection.freeze();
    else if ('gone' in step) await this.#gone();
    else if ('answer' in step) this.#server.history.plan(step.answer);
    else if ('requested' in step) await this.#requested(step.requested?.query);
    else if ('release' in step) this.#server.history.release();
    else if ('handed' in step) await this.#handedOver(step.handed);
    else if ('stopped' in step) await this.#stopped(step.stopped);
    else if ('quiet' in step) await this.#quiet(step.quiet);
    else if ('watch' in step) this.#watchedMs = this.#nowMs();
    else if ('took_at_least' in step) this.#took(step.took_at_least);
    else step satisfies never;
  }

  #tell(command: Command): void {
    this.#client.tell(command.do === 'connect' ? { ...command, url: this.#server.streamUrl } : command);
    if (command.do === 'connect') this.#server.key = command.key ?? null;
  }

  async #attempted(): Promise<void> {
    await this.#conditions.until(
      () => this.#server.attempts.length > 0,
      'the client to ask for a connection',
    );
  }

  async #accept(accept: Extract<Step, { accept: unknown }>['accept']): Promise<void> {
    await this.#attempted();
    const connection = await this.#server.accept();
    if (accept?.key !== undefined) await this.#authenticate(accept.key);
    const hello = accept?.hello ?? { heartbeat_ms: 25_000, reconnect: { min_ms: 5, max_ms: 20 } };
    if (hello !== 'none') connection.send(expandFrame({ hello: { server: 'scripted/1', ...hello } }));
  }

  /** A client shows its key in the handshake, or, as in a browser, in its first frame. */
  async #authenticate(key: string): Promise<void> {
    const { connection } = this.#server;
    if (connection.bearer === key) return;
    const { id, auth } = await this.#nextFrame('the key');
    if (auth !== key) throw new Error(`the first frame does not show the key but ${String(auth)}`);
    connection.send({ id, ok: true });
  }

  async #nextFrame(what: string): Promise<Frame> {
    const { connection } = this.#server;
    await this.#conditions.until(() => connection.received.length > 0 || !connection.isOpen, what);
    const frame = connection.received.shift();
    if (frame === undefined) throw new Error(`the connection ended before ${what}`);
    return frame;
  }

  async #receive(expected: Frame, as = ''): Promise<void> {
    let frame = await this.#nextFrame('a frame of the client');
    // A client may acknowledge when it likes, unless the scenario looks for it.
    while (isAck(frame) && !isAck(expected)) frame = await this.#nextFrame('a frame of the client');
    const { id, ...rest } = withoutNulls(frame) as Frame;
    if (!matches(rest, withoutNulls(expected))) {
      throw new Error(`the client sent ${JSON.stringify(rest)}`);
    }
    this.#ids.set(as, id).set('', id);
  }

  #reply(frame: Frame, to = ''): void {
    this.#server.connection.send(expandFrame({ id: this.#ids.get(to), ...frame }));
  }

  async #gone(): Promise<void> {
    await this.#conditions.until(() => !this.#server.connection.isOpen, 'the client to end the connection');
  }

  async #requested(query: string | undefined): Promise<void> {
    const { queries } = this.#server.history;
    await this.#conditions.until(() => queries.length > this.#requestsAwaited, 'a request for history');
    const asked = queries[this.#requestsAwaited]!;
    this.#requestsAwaited += 1;
    const parameters = new URLSearchParams(asked);
    for (const [name, value] of new URLSearchParams(query)) {
      if (parameters.get(name) !== value) throw new Error(`the client asked for …/events${asked}`);
    }
  }

  async #handedOver(line: string): Promise<void> {
    const has = () => [...this.#handed.lines.values()].some((lines) => lines.includes(line));
    await this.#conditions.until(has, `"${line}"`);
  }

  async #stopped(code: number): Promise<void> {
    await this.#conditions.until(() => this.#handed.stopped !== null, 'the client to give up');
    if (this.#handed.stopped !== code)
      throw new Error(`the client gave up because of ${this.#handed.stopped}`);
  }

  async #quiet(ms: number): Promise<void> {
    await this.#conditions.pause(ms);
    const faults = this.faults();
    if (faults.length > 0) throw new Error(faults.join('; '));
  }

  #took(ms: number): void {
    const passedMs = Math.round(this.#nowMs() - this.#watchedMs);
    if (passedMs < ms) throw new Error(`it took only ${passedMs} ms`);
  }
}

function isAck(frame: Frame): boolean {
  return Object.hasOwn(frame, 'ack');
}

/** `any` stands for whatever is there. */
function matches(sent: unknown, expected: unknown): boolean {
  if (expected === 'any') return true;
  if (typeof expected !== 'object' || expected === null || typeof sent !== 'object' || sent === null) {
    return isDeepStrictEqual(sent, expected);
  }
  const names = new Set([...Object.keys(expected), ...Object.keys(sent)]);
  return [...names].every((name) => matches((sent as Frame)[name], (expected as Frame)[name]));
}

/** A field that is null means the same as one that is absent. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== null)
      .map(([name, field]) => [name, withoutNulls(field)]),
  );
}
