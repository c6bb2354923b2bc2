import {
  type FencedWriter,
  type FetchAnswered,
  type Fetched,
  isDenial,
  type ReaderOptions,
  type TopicIo,
  TopicIoError,
  type TopicReader,
} from '@runlog/topic-io/topic-io';

/** Silence is looked at so often within the time that it may last. */
const LOOKS = 4;

export interface WatchClock {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Calls `run` once after the delay. The returned function cancels it. */
  readonly after: (delayMs: number, run: () => void) => () => void;
}

/** Something that the log was asked and has not answered yet. A partition that is being read is asked again and again. */
interface Question {
  /** When it was asked, or when it was answered last. */
  sinceMs: number;
  /** For how long it has been waiting since then, as far as this process was running. */
  silentMs: number;
  /** Whether an answer is waited for now. */
  readonly isAsked: () => boolean;
}

/**
 * Notices when the log stops answering, and when it answers again. A quiet topic answers too: that it has nothing new. It
 * watches the requests that go through `watch`. A reader counts only while its caller waits for it. Time in which this
 * process did not run, or for which the log has it wait, is not held against the log.
 */
export class LogWatch implements Disposable {
  readonly #clock: WatchClock;
  readonly #silentMsMax: number;
  readonly #onChange: (stalledSinceMs: number | null) => void;
  /** The readers that wait because the log denies them what they read. */
  readonly #deniedReaders = new Set<object>();
  readonly #questions = new Set<Question>();
  #throttledMs = () => 0;
  /** The oldest request that ended without an answer, until there is an answer to any. */
  #lost: Question | null = null;
  #stalledSinceMs: number | null = null;
  #lookedAtMs = 0;
  /** Null while there is nothing to look at. */
  #cancelLook: (() => void) | null = null;
  #isDisposed = false;

  /** `onChange` gets the time of the last answer before the log fell silent for `silentMsMax`, and null when it is back. */
  constructor(options: {
    clock: WatchClock;
    silentMsMax: number;
    onChange?: (stalledSinceMs: number | null) => void;
  }) {
    this.#clock = options.clock;
    this.#silentMsMax = options.silentMsMax;
    this.#onChange = options.onChange ?? (() => undefined);
  }

  /** Since when the log does not answer, in milliseconds since the epoch. Null while it does. */
  get stalledSinceMs(): number | null {
    return this.#stalledSinceMs;
  }

  /** Whether the log answers, but denies what is read. */
  get isDenied(): boolean {
    return this.#deniedReaders.size > 0;
  }

  /** Returns the same log, watched. What may take long without a fault of the log is not: opening a writer, joining a group. */
  watch(io: TopicIo): TopicIo {
    this.#throttledMs = () => io.throttledMs();
    return {
      engine: io.engine,
      ensureTopics: (specs) => this.#ask(() => io.ensureTopics(specs)),
      describeTopic: (name, needs) => this.#ask(() => io.describeTopic(name, needs)),
      deleteTopic: (name, only) => io.deleteTopic(name, only),
      bounds: (topic) => this.#ask(() => io.bounds(topic)),
      offsetAtTime: (position) => this.#ask(() => io.offsetAtTime(position)),
      openTransactions: (position) => io.openTransactions(position),
      writer: (options) => io.writer(options),
      fencedWriter: async (id) => this.#watchWriter(await io.fencedWriter(id)),
      reader: (options) => this.#watchReader(io, options),
      groupMember: (options) => io.groupMember(options),
      throttledMs: () => io.throttledMs(),
      ping: () => this.#ask(() => io.ping()),
      [Symbol.asyncDispose]: () => io[Symbol.asyncDispose](),
    };
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#cancelLook?.();
    this.#questions.clear();
  }

  async #ask<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    const question = this.#question(() => true);
    try {
      const answer = await ask();
      this.#questions.delete(question);
      this.#answered(question);
      return answer;
    } catch (error) {
      this.#questions.delete(question);
      const isNoAnswer = error instanceof TopicIoError && error.code === 'unavailable';
      // It stays a question without an answer until something is answered.
      if (isNoAnswer) this.#unanswered(question);
      throw error;
    }
  }

  #watchWriter(writer: FencedWriter): FencedWriter {
    return {
      commit: (transaction) => this.#ask(() => writer.commit(transaction)),
      [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
    };
  }

  #watchReader(io: TopicIo, options: ReaderOptions): TopicReader {
    const questions = new Map<number, Question>();
    let waiting = 0;
    const isAsked = () => waiting > 0;
    const drop = (partition: number) => {
      const question = questions.get(partition);
      questions.delete(partition);
      if (question !== undefined) this.#questions.delete(question);
    };
    const dropAll = () => {
      for (const partition of [...questions.keys()]) drop(partition);
    };
    const onAnswer = (answer: FetchAnswered) => {
      const question = questions.get(answer.partition);
      if (question !== undefined) this.#answered(question);
      options.onAnswer?.(answer);
    };
    const onFault = (fault: TopicIoError | null) => {
      if (isDenial(fault)) this.#deniedReaders.add(questions);
      else this.#deniedReaders.delete(questions);
      options.onFault?.(fault);
    };
    const reader = io.reader({ ...options, onAnswer, onFault });
    const iterator = reader[Symbol.asyncIterator]();
    const next = async (): Promise<IteratorResult<Fetched>> => {
      waiting += 1;
      try {
        const result = await iterator.next();
        if (result.done === true) dropAll();
        else if (result.value.kind === 'out_of_range') drop(result.value.partition);
        return result;
      } finally {
        waiting -= 1;
      }
    };
    return {
      add: (position) => {
        drop(position.partition);
        questions.set(position.partition, this.#question(isAsked));
        reader.add(position);
      },
      remove: (partition) => {
        drop(partition);
        reader.remove(partition);
      },
      [Symbol.asyncIterator]: () => ({ next, return: async () => ({ done: true, value: undefined }) }),
      [Symbol.asyncDispose]: async () => {
        dropAll();
        this.#deniedReaders.delete(questions);
        await reader[Symbol.asyncDispose]();
      },
    };
  }

  /** While the log is silent, a new question is as old as the silence: only an answer can end it. */
  #question(isAsked: () => boolean): Question {
    const silentMs = this.#stalledSinceMs === null ? 0 : this.#silentMsMax;
    const question = { sinceMs: this.#stalledSinceMs ?? this.#clock.now(), silentMs, isAsked };
    if (!this.#isDisposed) this.#add(question);
    return question;
  }

  #unanswered(question: Question): void {
    if (this.#isDisposed || (this.#lost !== null && this.#lost.sinceMs <= question.sinceMs)) return;
    if (this.#lost !== null) this.#questions.delete(this.#lost);
    this.#lost = question;
    this.#add(question);
  }

  #answered(question: Question): void {
    question.sinceMs = this.#clock.now();
    question.silentMs = 0;
    if (this.#lost !== null) this.#questions.delete(this.#lost);
    this.#lost = null;
    if (this.#stalledSinceMs === null || this.#silentest() !== null) return;
    this.#stalledSinceMs = null;
    this.#onChange(null);
  }

  #add(question: Question): void {
    this.#questions.add(question);
    if (this.#cancelLook !== null) return;
    this.#lookedAtMs = this.#clock.now();
    this.#lookLater();
  }

  #lookLater(): void {
    this.#cancelLook = this.#clock.after(this.#silentMsMax / LOOKS, () => {
      this.#cancelLook = null;
      this.#look();
      if (!this.#isDisposed && this.#questions.size > 0) this.#lookLater();
    });
  }

  #look(): void {
    const nowMs = this.#clock.now();
    // A look that comes late means that this process did not run: answers may have arrived that it has not seen yet.
    const passedMs = Math.min(Math.max(0, nowMs - this.#lookedAtMs), (1.5 * this.#silentMsMax) / LOOKS);
    this.#lookedAtMs = nowMs;
    if (this.#throttledMs() > 0) return;
    for (const question of this.#questions) {
      if (!question.isAsked()) continue;
      const askedMs = nowMs - question.sinceMs;
      // If the clock was set back, it does not say when the question was asked.
      question.silentMs += askedMs < 0 ? passedMs : Math.min(passedMs, askedMs);
    }
    const silentest = this.#silentest();
    if (silentest === null || this.#stalledSinceMs !== null) return;
    this.#stalledSinceMs = silentest.sinceMs;
    this.#onChange(silentest.sinceMs);
  }

  /** Returns the question that has been without an answer for longest, if any has been for too long. */
  #silentest(): Question | null {
    let silentest: Question | null = null;
    for (const question of this.#questions) {
      if (question.silentMs < this.#silentMsMax) continue;
      if (silentest === null || question.sinceMs < silentest.sinceMs) silentest = question;
    }
    return silentest;
  }
}
