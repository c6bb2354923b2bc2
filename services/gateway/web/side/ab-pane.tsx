import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { useLayoutEffect, useMemo, useState } from 'preact/hooks';
import { AddRun } from '../compare/add-run.tsx';
import { otherKeyOf } from '../run/other-run.ts';
import type { RunScreen } from '../run/run-screen.ts';
import { runAddress } from '../shell/address.ts';
import { connection } from '../shell/connection.ts';
import { describeFailure } from '../shell/failure.tsx';
import { linkTo, setOptions } from '../shell/route.ts';
import { countText } from '../text/numbers.ts';
import { AbCharts } from './ab-charts.tsx';
import { AbLanes } from './ab-lanes.tsx';
import { type ComparedRow, commonRound, counterRows, endOfRound, figureRows } from './ab-model.ts';
import { createAsked } from './asked.ts';
import { type BesideRun, followBeside } from './beside-run.ts';
import { PaneNote } from './pane-note.tsx';
import { askStateAtRound } from './state-at-round.ts';
import { useThrottled } from './throttled.ts';

const REDRAW_MS_MIN = 1_000;
/** The state at a round is folded from the log, which costs the gateway something. */
const ASK_MS_MIN = 5_000;

/** The run A that is shown and the run B beside it, both as of the round that both have reached. */
export function AbPane({ screen }: { screen: RunScreen }) {
  const { key } = screen.run;
  const other = otherKeyOf(key, screen.beside.value);
  const [isChoosing, setChoosing] = useState(false);
  const choose = (b: string) => {
    setChoosing(false);
    setOptions('run', { b });
  };
  if (other === null) {
    return (
      <div class="ab">
        <PaneNote sentence="Choose the run that is to stand beside this one." />
        <Chooser keys={[key]} onChoose={choose} />
      </div>
    );
  }
  return (
    <div class="ab">
      <dl class="ab-runs">
        <dt class="ab-a">A</dt>
        <dd>
          <bdi>{key}</bdi>
        </dd>
        <dt class="ab-b">B</dt>
        <dd>
          <a href={linkTo(runAddress(other, { pane: 'ab', b: key }))}>
            <bdi>{other}</bdi>
          </a>{' '}
          <button
            type="button"
            class="text-button"
            aria-expanded={isChoosing}
            onClick={() => setChoosing(!isChoosing)}
          >
            choose another
          </button>
        </dd>
      </dl>
      {isChoosing && <Chooser keys={[key, other]} onChoose={choose} />}
      <Both key={other} screen={screen} other={other} />
    </div>
  );
}

function Chooser({ keys, onChoose }: { keys: readonly string[]; onChoose(key: string): void }) {
  return (
    <div class="ab-chooser">
      <AddRun keys={keys} onAdd={onChoose} />
    </div>
  );
}

function Both({ screen, other }: { screen: RunScreen; other: string }) {
  const beside = useMemo(() => followBeside(other, { connection: connection() }), [other]);
  useLayoutEffect(() => () => beside[Symbol.dispose](), [beside]);
  const failure = beside.run.failure.value;
  const a = useThrottled(screen.shown.value, REDRAW_MS_MIN);
  const b = useThrottled(beside.run.snapshot.value, REDRAW_MS_MIN);
  if (failure !== null) {
    return (
      <PaneNote
        sentence={describeFailure({ ...failure, key: other }).sentence}
        action="Put no run beside"
        onAction={() => setOptions('run', { b: null })}
      />
    );
  }
  if (a === null || b === null) return <PaneNote sentence={`Reading ${other} …`} />;
  return <Compared {...{ screen, beside, a, b }} />;
}

interface ComparedProps {
  readonly screen: RunScreen;
  readonly beside: BesideRun;
  readonly a: DeliveredSnapshot;
  readonly b: DeliveredSnapshot;
}

function Compared({ screen, beside, a, b }: ComparedProps) {
  const { round, ahead } = commonRound(a, b);
  const figuresA = useThrottled(screen.figures().value, REDRAW_MS_MIN);
  const figuresB = useThrottled(beside.run.figures().value, REDRAW_MS_MIN);
  const sides = useMemo(
    () => ({
      a: { figures: figuresA, startedAt: a.started_at },
      b: { figures: figuresB, startedAt: b.started_at },
    }),
    [figuresA, figuresB, a.started_at, b.started_at],
  );
  const aligned = useStateAtRound({ screen, beside, ahead, round });
  const atRound = (side: 'a' | 'b', state: DeliveredSnapshot) => (ahead === side ? aligned : state);
  const [countsA, countsB] = [atRound('a', a), atRound('b', b)];
  const figures = useMemo(() => figureRows(sides.a, sides.b, round), [sides, round]);
  return (
    <>
      <p class="ab-aligned">
        Both as of round {countText(round)}
        {ahead !== null && (
          <>
            ; {ahead === 'a' ? 'A' : 'B'} is at {countText((ahead === 'a' ? a : b).current_batch)} by now
          </>
        )}
        .
      </p>
      <AbCharts {...{ sides, round }} keys={[screen.run.key, beside.run.key]} />
      <table class="ab-table">
        <thead>
          <tr>
            <th scope="col">figure</th>
            <th scope="col" class="ab-a">
              A
            </th>
            <th scope="col" class="ab-b">
              B
            </th>
            <th scope="col">B − A</th>
          </tr>
        </thead>
        <Rows rows={figures} />
        <Rows rows={counterRows(countsA, countsB)} />
      </table>
      {ahead !== null && aligned !== null && aligned.current_batch !== round && (
        <p class="ab-aligned">
          The counters of {ahead === 'a' ? 'A' : 'B'} are those of its round{' '}
          {countText(aligned.current_batch)}.
        </p>
      )}
      <AbLanes
        {...{ screen, beside }}
        asOfB={ahead === 'b' && aligned?.position != null ? { round, seq: aligned.position.seq } : null}
      />
    </>
  );
}

function Rows({ rows }: { rows: readonly ComparedRow[] }) {
  return (
    <tbody>
      {rows.map(({ name, a, b, difference }) => (
        <tr key={name}>
          <th scope="row">
            <bdi>{name}</bdi>
          </th>
          <td>{a}</td>
          <td>{b}</td>
          <td>{difference}</td>
        </tr>
      ))}
    </tbody>
  );
}

/** Asks for the state of the run that is ahead, as of the round that the other has reached; null until it is there. */
function useStateAtRound(of: {
  screen: RunScreen;
  beside: BesideRun;
  ahead: 'a' | 'b' | null;
  round: number;
}): DeliveredSnapshot | null {
  const { screen, beside, ahead } = of;
  const round = useThrottled(of.round, ASK_MS_MIN);
  const source = ahead === 'a' ? screen : beside;
  const axis = source.axis.value;
  const figures = ahead === 'a' ? screen.figures().value : beside.run.figures().value;
  const end = useMemo(
    () => (ahead === null || axis === null ? null : endOfRound(figures, axis, round)),
    // The place of a round that is over stays, however far the run goes on.
    [ahead, round, axis === null, figures === null],
  );
  const { key } = source.run;
  const asked = useMemo(
    () =>
      end === null
        ? null
        : createAsked<DeliveredSnapshot>((signal) =>
            askStateAtRound({ key, end, ask: (path, options) => connection().ask(path, options) }, signal),
          ),
    [key, end],
  );
  // Not after the next frame: what is left before it would never be let go of.
  useLayoutEffect(() => () => asked?.[Symbol.dispose](), [asked]);
  const state = asked?.state.value;
  return state?.kind === 'ok' ? state.body : null;
}
