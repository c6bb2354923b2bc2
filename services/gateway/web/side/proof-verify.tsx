import { useSignal } from '@preact/signals';
import type { RunProof, Verification } from '@runlog/schema/http/proof-api';
import { connection } from '../shell/connection.ts';
import { runProof } from '../shell/top-bar-facts.ts';
import { ageText, agoText } from '../text/ages.ts';
import { countText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import type { Asked } from './asked.ts';

/** The last verification, and a button that asks for another. */
export function VerifyLine({ asked, runKey }: { asked: Asked<RunProof>; runKey: string }) {
  const begunMs = useSignal<number | null>(null);
  const state = asked.state.value;
  const isRunning = begunMs.value !== null;
  const verify = async () => {
    const { ask, monotonicMs } = connection();
    begunMs.value = monotonicMs();
    await asked.ask((signal) => ask(`v1/runs/${runKey}/proof`, { method: 'POST', signal }));
    begunMs.value = null;
    const answered = asked.state.peek();
    // The last line of the view says it at once too.
    if (answered.kind === 'ok') runProof.value = answered.body;
  };
  return (
    <p class="proof-verify">
      <span role="status">
        {begunMs.value !== null ? (
          <Running sinceMs={begunMs.value} />
        ) : state.kind === 'failed' ? (
          <span class="bad">
            It could not be verified: <bdi>{visibleText(state.message)}</bdi>.
          </span>
        ) : state.kind === 'loading' ? (
          <span class="dim">Asking …</span>
        ) : state.body.verified !== null ? (
          <Verified of={state.body.verified} />
        ) : (
          <span class="dim">
            {state.body.unverified_because === 'history_gone'
              ? 'The beginning of the history is gone from the log, so nothing can be compared.'
              : 'Nobody has asked for it since this gateway started.'}
          </span>
        )}
      </span>
      <button type="button" class="small-button" disabled={isRunning} onClick={() => void verify()}>
        {state.kind === 'failed' && !isRunning ? 'try again' : 'verify now'}
      </button>
    </p>
  );
}

/** Nobody knows how long it will take; it says that it goes on. */
function Running({ sinceMs }: { sinceMs: number }) {
  const { clock, monotonicMs } = connection();
  // Once a second, with the clock.
  void clock.now.value;
  return <>Folding the history … {Math.max(0, Math.round((monotonicMs() - sinceMs) / 1_000))} s</>;
}

function Verified({ of: { seq, at, is_equal: isEqual, took_ms: tookMs } }: { of: Verification }) {
  const nowMs = connection().clock.now.value;
  const ago = nowMs === null ? at : agoText(nowMs - Date.parse(at));
  return (
    <span class={isEqual ? 'good' : 'bad'}>
      {isEqual ? '✓ equal' : '✗ different: rebuild the topic of snapshots'} up to seq {countText(seq)}{' '}
      <span class="dim">
        · {ago} · took {ageText(tookMs)}
      </span>
    </span>
  );
}
