import { get, type IncomingMessage } from 'node:http';

/** A raw client of server-sent events, which keeps the text that arrives. */
export class EventStream implements AsyncDisposable {
  readonly response: IncomingMessage;
  /** The whole text, once the stream has ended. */
  readonly ended: Promise<string>;
  #text = '';
  #read = 0;
  #isOver = false;
  #waiting: (() => void)[] = [];

  constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      this.#text += text;
      this.#wake();
    });
    // Only the close that follows matters.
    response.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      response.on('close', () => {
        this.#isOver = true;
        resolve(this.#text);
        this.#wake();
      });
    });
  }

  /** Opens a stream. Rejects with the HTTP status if it is refused. */
  static open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<EventStream> {
    return new Promise((resolve, reject) => {
      const request = get(url, { headers, agent: false }, (response) => {
        if (response.statusCode === 200) {
          resolve(new EventStream(response));
          return;
        }
        response.destroy();
        reject(new Error(`refused with ${response.statusCode}`));
      });
      request.on('error', reject);
    });
  }

  /** Reads nothing more. */
  pause(): void {
    this.response.pause();
  }

  /** Takes the next whole event that fits and skips events before it. Rejects if the stream ends. */
  async next(fits: RegExp): Promise<string> {
    for (;;) {
      for (;;) {
        const end = this.#text.indexOf('\n\n', this.#read);
        if (end === -1) break;
        const event = this.#text.slice(this.#read, end);
        this.#read = end + 2;
        if (fits.test(event)) return event;
      }
      if (this.#isOver) throw new Error('the stream ended first');
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.response.destroy();
    await this.ended;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
