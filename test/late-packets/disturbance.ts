import type { SeededRandom } from '../simulation/seeded-random.ts';
import type { KafkaRequest } from '../support/kafka-frame.ts';
import type { KafkaProxy, KafkaProxyHooks, Verdict } from '../support/kafka-proxy.ts';

const HOLD_CHANCE = 0.2;
const LOSE_ANSWER_CHANCE = 0.1;
/** Tries of one request that are disturbed. The next one passes, so that a schedule is quick. */
const DISTURBED_TRIES_MAX = 2;
/** A late request arrives within the next two or three transactions. */
const STEPS_LATE_MAX = 16;
/** A late request may also arrive at the same time as another one. */
const RACE_CHANCE = 0.2;

interface Held {
  readonly request: KafkaRequest;
  readonly round: number;
  readonly dueStep: number;
  readonly phase: 'before request' | 'before answer';
  readonly races: boolean;
}

/** What a disturbance tells the judge. */
export interface DisturbanceObserver {
  /** The broker is about to get an EndTxn that commits this round. */
  onCommitPassed(round: number): void;
  /** A late request was answered. Judging before the next step shows what it did. */
  onLate(late: { request: KafkaRequest; round: number; during: KafkaRequest | null }): Promise<void>;
}

/**
 * Disturbs the requests of one client's transactions. What happens to a request depends on the seed, the round, the kind
 * of request and the number of the try alone, so that a schedule can be repeated although its timing cannot.
 */
export class Disturbance implements KafkaProxyHooks {
  readonly #random: SeededRandom;
  readonly #proxy: KafkaProxy;
  readonly #observer: DisturbanceObserver;
  readonly #tries = new Map<string, number>();
  readonly #losingAnswer = new WeakSet<KafkaRequest>();
  readonly #racing = new Set<Promise<void>>();
  #held: Held[] = [];
  #step = 0;
  #round = 0;
  #isOver = false;
  #atStep: { readonly step: number; readonly act: () => void } | null = null;
  held = 0;
  answersLost = 0;

  constructor(options: { random: SeededRandom; proxy: KafkaProxy; observer: DisturbanceObserver }) {
    this.#random = options.random;
    this.#proxy = options.proxy;
    this.#observer = options.observer;
  }

  /** What the client asks from now on belongs to this round. */
  beginRound(round: number): void {
    this.#round = round;
    this.#atStep = null;
  }

  /** Acts when the client has asked so many more times, and cuts its connection. */
  onStep(steps: number, act: () => void): void {
    this.#atStep = { step: this.#step + steps, act };
  }

  /** Lets everything pass, and delivers what is still held. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#deliver(this.#held.splice(0), null);
    await Promise.all(this.#racing);
  }

  readonly onRequest = async (request: KafkaRequest): Promise<Verdict> => {
    if (request.transactionalId === null) return 'pass';
    this.#step += 1;
    await this.#deliverDue('before request', request);
    const verdict = this.#isOver ? 'pass' : this.#verdictOn(request);
    if (this.#atStep?.step === this.#step) {
      this.#atStep.act();
      return 'cut';
    }
    if (verdict === 'pass' && request.commits) this.#observer.onCommitPassed(this.#round);
    return verdict;
  };

  readonly onAnswer = async (request: KafkaRequest): Promise<Verdict> => {
    if (request.transactionalId === null) return 'pass';
    await this.#deliverDue('before answer', request);
    return this.#losingAnswer.has(request) ? 'cut' : 'pass';
  };

  #verdictOn(request: KafkaRequest): Verdict {
    const kind = `${this.#round} ${request.api}`;
    const tries = (this.#tries.get(kind) ?? 0) + 1;
    this.#tries.set(kind, tries);
    const random = this.#random.fork(`${kind} ${tries}`);
    // Two produce requests of a round are counted as one kind.
    if (tries > DISTURBED_TRIES_MAX + (request.api === 'Produce' ? 1 : 0)) return 'pass';
    if (random.chance(HOLD_CHANCE)) {
      const dueStep = this.#step + random.integer(1, STEPS_LATE_MAX);
      const phase = random.pick(['before request', 'before answer'] as const);
      const races = random.chance(RACE_CHANCE);
      this.#held.push({ request, round: this.#round, dueStep, phase, races });
      this.held += 1;
      return 'cut';
    }
    if (random.chance(LOSE_ANSWER_CHANCE)) {
      this.#losingAnswer.add(request);
      this.answersLost += 1;
    }
    return 'pass';
  }

  async #deliverDue(phase: Held['phase'], during: KafkaRequest): Promise<void> {
    const isDue = (held: Held) =>
      held.dueStep < this.#step || (held.dueStep === this.#step && held.phase === phase);
    const due = this.#held.filter(isDue);
    this.#held = this.#held.filter((held) => !isDue(held));
    await this.#deliver(due, during);
  }

  async #deliver(due: readonly Held[], during: KafkaRequest | null): Promise<void> {
    for (const { request, round, races } of due) {
      if (request.commits) this.#observer.onCommitPassed(round);
      const delivered = this.#proxy.deliver(request).then(async () => {
        if (!races) await this.#observer.onLate({ request, round, during });
      });
      if (!races) await delivered;
      else {
        const racing = delivered.finally(() => this.#racing.delete(racing));
        this.#racing.add(racing);
      }
    }
  }
}
