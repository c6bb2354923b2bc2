import type { Verification } from '@runlog/schema/http/proof-api';
import { connection } from '../shell/connection.ts';
import type { ProofPoll } from '../shell/run-proof.ts';
import { ageText, agoText } from '../text/ages.ts';
import { countText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';

/** The last verification, and a button that asks for another. */
export function VerifyLine({ poll }: { poll: ProofPoll }) {
  const sinceMs = poll.verifyingSinceMs.value;
  const failure = poll.verifyFailure.value;
  return (
    <p class="proof-verify">
      <span role="status">
        {sinceMs !== null ? (
          <Running sinceMs={sinceMs} />
        ) : (
          <>
            {failure !== null && (
              <span class="bad">
                It could not be verified: <bdi>{visibleText(failure)}</bdi>.{' '}
              </span>
            )}
            <LastVerified poll={poll} isAlone={failure === null} />
          </>
        )}
      </span>
      <button
        type="button"
        class="small-button"
        disabled={sinceMs !== null}
        onClick={() => void poll.verify()}
      >
        {failure !== null && sinceMs === null ? 'try again' : 'verify now'}
      </button>
    </p>
  );
}

/** What is known without asking. Beside a failure, that nothing is known need not be said. */
function LastVerified({ poll, isAlone }: { poll: ProofPoll; isAlone: boolean }) {
  const proof = poll.proof.value;
  if (proof !== null && proof.verified !== null) return <Verified of={proof.verified} />;
  if (!isAlone) return null;
  return <span class="dim">{sentenceOf(poll)}</span>;
}

function sentenceOf({ proof, isAway }: ProofPoll): string {
  if (proof.value === null) return isAway.value ? 'The gateway has not said it yet.' : 'Asking …';
  return proof.value.unverified_because === 'history_gone'
    ? 'The beginning of the history is gone from the log, so nothing can be compared.'
    : 'Nobody has asked for it since this gateway started.';
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
