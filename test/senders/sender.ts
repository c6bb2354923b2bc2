/** What a sender is asked to send: events whose `data.n` are 0 to `events` - 1, to one run. */
export interface Task {
  /** Where ingest is, as this sender sees it. */
  readonly url: string;
  readonly run: string;
  readonly events: number;
  /** The events that it makes a second. */
  readonly eventsPerSecond: number;
}

/** A sender under way. */
export interface Sending extends AsyncDisposable {
  /** Resolves when it has nothing left to send. Rejects if it knows that it has lost something. */
  readonly finished: Promise<void>;
}

/** Something that sends events by HTTP and judges by the status alone. */
export interface Sender {
  readonly name: string;
  readonly version: string;
  /** Whether it drops a batch after a few tries, however long those took. */
  readonly givesUp: boolean;
  start(task: Task): Promise<Sending>;
}
