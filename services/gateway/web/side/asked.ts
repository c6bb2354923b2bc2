import { type ReadonlySignal, signal } from '@preact/signals';
import type { Answer } from '../shell/ask.ts';

/** What is known of something that the gateway was asked for. */
export type AskedState<Body> =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ok'; readonly body: Body }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

/** Something that the gateway is asked for, now and again. */
export interface Asked<Body> extends Disposable {
  /** While it is asked for again, the last answer stays. */
  readonly state: ReadonlySignal<AskedState<Body>>;
  /** Asks, instead of what is still being asked. */
  ask(): Promise<void>;
}

/** Asks at once. */
export function createAsked<Body>(by: (signal: AbortSignal) => Promise<Answer<Body>>): Asked<Body> {
  const state = signal<AskedState<Body>>({ kind: 'loading' });
  let stop = new AbortController();
  const asked: Asked<Body> = {
    state,
    async ask() {
      stop.abort();
      stop = new AbortController();
      const { signal: own } = stop;
      const answer = await by(own);
      if (!own.aborted) state.value = stateOf(answer);
    },
    [Symbol.dispose]: () => stop.abort(),
  };
  void asked.ask();
  return asked;
}

function stateOf<Body>(answer: Answer<Body>): AskedState<Body> {
  switch (answer.kind) {
    case 'ok':
      return answer;
    case 'refused':
      return { kind: 'failed', code: answer.code, message: answer.message };
    case 'away':
      return { kind: 'failed', code: 'away', message: 'the gateway does not answer' };
    default: {
      const unreachable: never = answer;
      throw new Error(`unknown answer ${String(unreachable)}`);
    }
  }
}
