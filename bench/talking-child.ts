import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What a child can do, by name. Values must be JSON. */
// biome-ignore lint/suspicious/noExplicitAny: the types of a child's functions come from its own declaration
type Skills = Readonly<Record<string, (argument: any) => unknown>>;

interface Request {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly fault?: string;
}

/** A script of this folder in a process of its own that answers requests until it is disposed. */
export class TalkingChild<Known extends Skills> implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (fault: Error) => void }>();
  readonly #ended: Promise<void>;
  #asked = 0;

  /** `flags` are Node's. */
  constructor(script: string, flags: readonly string[] = []) {
    const file = fileURLToPath(new URL(script, import.meta.url));
    this.#child = fork(file, {
      execArgv: [...flags, '--import', 'tsx'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const kill = () => this.#child.kill('SIGKILL');
    process.once('exit', kill);
    this.#child.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.fault === undefined) waiting?.resolve(answer.value as never);
      else waiting?.reject(new Error(`${script}: ${answer.fault}`));
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        process.removeListener('exit', kill);
        for (const { reject } of this.#waiting.values())
          reject(new Error(`${script} ended: ${code ?? signal}`));
        this.#waiting.clear();
        resolve();
      });
    });
  }

  ask<Name extends keyof Known & string>(
    name: Name,
    ...argument: Parameters<Known[Name]>
  ): Promise<Awaited<ReturnType<Known[Name]>>> {
    const id = this.#asked++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, name, argument: argument[0] } satisfies Request);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

/** Is called once by the script of a `TalkingChild`. */
export function answerRequests(skills: Skills): void {
  process.on('message', async ({ id, name, argument }: Request) => {
    let answer: Answer;
    try {
      answer = { id, value: await skills[name]!(argument) };
    } catch (error) {
      answer = { id, fault: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    process.send!(answer);
  });
}

/** The microseconds of CPU time that this process has used so far, of all threads. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** The resident bytes of this process after a full collection. Needs --expose-gc. */
export function settledRssBytes(): number {
  for (let times = 0; times < 5; times += 1) global.gc!();
  return process.memoryUsage.rss();
}
