import { once } from 'node:events';
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Observation, observationSchema } from './observation.ts';

/** Takes note of an observation. */
export type Note = (observation: Observation) => void;

/** Writes a history while it happens, one JSON object a line, so that it can be judged even if the recorder is killed. */
export class HistoryFile implements AsyncDisposable {
  readonly path: string;
  readonly #stream: WriteStream;

  constructor(path: string) {
    this.path = path;
    this.#stream = createWriteStream(path);
  }

  readonly note: Note = (observation) => {
    this.#stream.write(`${JSON.stringify(observation)}\n`);
  };

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stream.closed) return;
    this.#stream.end();
    await once(this.#stream, 'close');
  }
}

/** Reads a history. Rejects with the number of the first line that is no observation. */
export async function readHistory(path: string): Promise<Observation[]> {
  const history: Observation[] = [];
  for await (const line of createInterface({ input: createReadStream(path) })) {
    try {
      history.push(observationSchema.parse(JSON.parse(line)));
    } catch (cause) {
      throw new Error(`${path}:${history.length + 1} is no observation`, { cause });
    }
  }
  return history;
}
