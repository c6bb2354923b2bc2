import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import type { GapRow } from '../log/gap-rows.ts';
import type { LogRow } from '../log/log-row.ts';
import type { RunScreen } from '../run/run-screen.ts';
import { connection } from '../shell/connection.ts';
import { type ProofPoll, useRunProof } from '../shell/run-proof.ts';
import { counted, countText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import { PaneNote } from './pane-note.tsx';
import { EmitterProof } from './proof-emitter.tsx';
import { type ProofModel, proofOf } from './proof-model.ts';
import { VerifyLine } from './proof-verify.tsx';
import { useThrottled } from './throttled.ts';

const COUNTS_EVERY_MS = 1_000;

/** How complete the run is: the sum that must hold, the numbers of each emitter, the last verification, and who watches. */
export function ProofPane({ screen }: { screen: RunScreen }) {
  const poll = useRunProof(screen.run.key);
  const snapshot = useThrottled(screen.shown.value, COUNTS_EVERY_MS);
  const rows = useThrottled(screen.log.rows.value, COUNTS_EVERY_MS);
  const model = useMemo(
    () => (snapshot === null ? null : proofOf(snapshot, gapRowsIn(rows))),
    [snapshot, rows],
  );
  const at = screen.at.value;
  if (snapshot === null || model === null) return <PaneNote sentence="Reading the state of the run …" />;
  return (
    <div class="proof">
      {at !== null && <p class="travel-note">The counts are those as of seq {countText(at)}.</p>}
      <Sum model={model} />
      <Section title="Verification" note="The gateway folds the whole history again and compares every byte.">
        <VerifyLine poll={poll} />
      </Section>
      <Section
        title="Emitters"
        note="Each process of the run numbers its events from 1; a number that has not come is missing."
      >
        {model.emitters.length === 0 && <p class="dim">No event of this run has a number.</p>}
        {model.emitters.map((emitter) => (
          <EmitterProof key={emitter.id} emitter={emitter} onPlace={(seq) => screen.log.goTo(seq)} />
        ))}
        <Unnumbered model={model} />
      </Section>
      <Section title="Position" note="The last record that is counted here; another epoch is another log.">
        <p class="mono">
          seq {snapshot.position === null ? '–' : countText(snapshot.position.seq)}{' '}
          <span class="dim">
            epoch <bdi>{visibleText(snapshot.position?.epoch ?? '–')}</bdi>
          </span>
        </p>
      </Section>
      <Section
        title="Watching"
        note="Streams of this run that are open at this gateway, and whose keys they use."
      >
        <Watchers poll={poll} />
      </Section>
    </div>
  );
}

function gapRowsIn(rows: readonly LogRow[]): readonly GapRow[] {
  return rows.filter((row) => row.kind === 'gap');
}

function Section(props: { title: string; note: string; children: ComponentChildren }) {
  return (
    <section class="proof-section">
      <h2>
        {props.title} <span class="proof-note">{props.note}</span>
      </h2>
      {props.children}
    </section>
  );
}

/** The sum, to be checked by eye. */
function Sum({ model }: { model: ProofModel }) {
  const { emitted, received, duplicates, missing, isExact, conflicts, unsure } = model;
  const about = isExact ? '' : '≥ ';
  return (
    <section class="proof-section">
      <p class="proof-sum">
        emitted {about}
        <b>{countText(emitted)}</b> = received <b>{countText(received)}</b> − duplicates{' '}
        <b>{countText(duplicates)}</b> + missing {about}
        <b class={missing > 0 ? 'warn' : ''}>{countText(missing)}</b>
      </p>
      <table class="proof-words">
        <tbody>
          <Word sign="" name="received" value={countText(received)}>
            every event that came, also a second time
          </Word>
          <Word sign="−" name="duplicates" value={countText(duplicates)}>
            came before, and counted once
          </Word>
          <Word sign="+" name="missing" value={`${about}${countText(missing)}`} isBad={missing > 0}>
            {isExact ? 'numbers that were given and have not come' : 'at least; older numbers were forgotten'}
          </Word>
          <Word sign="=" name="emitted" value={`${about}${countText(emitted)}`} isTotal>
            what the processes of the run have sent
          </Word>
          <Word sign="" name="conflicts" value={countText(conflicts)} isBad={conflicts > 0}>
            another event came under a number that was taken
          </Word>
          <Word sign="" name="unsure" value={countText(unsure)}>
            nothing was known any more of whether they came before; counted as new, so none is lost
          </Word>
        </tbody>
      </table>
    </section>
  );
}

function Word(props: {
  sign: string;
  name: string;
  value: string;
  isBad?: boolean;
  isTotal?: boolean;
  children: ComponentChildren;
}) {
  return (
    <tr class={props.isTotal === true ? 'proof-total' : ''}>
      <td class="proof-sign" aria-hidden="true">
        {props.sign}
      </td>
      <td class={props.isBad === true ? 'proof-value warn' : 'proof-value'}>{props.value}</td>
      <th scope="row">{props.name}</th>
      <td class="proof-note">{props.children}</td>
    </tr>
  );
}

function Unnumbered({ model: { unnumbered, forgottenEmitters } }: { model: ProofModel }) {
  const parts: string[] = [];
  if (unnumbered !== null && unnumbered > 0)
    parts.push(`${counted(unnumbered, 'event')} came without a number.`);
  if (forgottenEmitters > 0)
    parts.push(`The numbers of ${counted(forgottenEmitters, 'emitter')} were forgotten.`);
  return parts.length === 0 ? null : <p class="dim">{parts.join(' ')}</p>;
}

function Watchers({ poll }: { poll: ProofPoll }) {
  const proof = poll.proof.value;
  if (proof === null || poll.isAway.value || connection().link.value.state !== 'open')
    return <p class="dim">Not known now.</p>;
  const { connections, keys } = proof.watching;
  return (
    <p>
      {counted(connections, 'stream')}
      {keys.length > 0 && (
        <>
          {' '}
          · {keys.length === 1 ? 'key' : 'keys'}{' '}
          {keys.map((id, at) => (
            <>
              {at > 0 && ', '}
              <bdi class="mono">{visibleText(id)}</bdi>
            </>
          ))}
        </>
      )}
    </p>
  );
}
