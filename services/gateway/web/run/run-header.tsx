import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { useMemo } from 'preact/hooks';
import { runAddress } from '../shell/address.ts';
import { PartedName } from '../shell/parted-name.tsx';
import { goTo, linkTo, route } from '../shell/route.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { counted, countText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import { stateGlyphs, stateWords } from './evidence.ts';
import { otherKeyOf } from './other-run.ts';
import { factsOf, type HeaderFact, unknownFacts } from './run-facts.ts';
import type { RunScreen } from './run-screen.ts';

/** The run's name and state, why it failed, and its figures in one line. */
export function RunHeader({ screen }: { screen: RunScreen }) {
  const shown = screen.shown.value;
  // What is shown of the run as it is now does not change with time, so it may stand while a past state is on its way.
  const snapshot = shown ?? screen.run.snapshot.value;
  if (snapshot === null) return null;
  const { at, run } = screen;
  const facts =
    shown === null
      ? unknownFacts(snapshot)
      : factsOf(shown, { perSecond: at.value === null ? run.eventsPerSecond.value : null });
  return (
    <>
      <section class="run-head" aria-label="Run">
        <div class="run-title">
          {/* The parts of a name are boxes, which would be read as words. */}
          <h1 title={run.key} aria-label={`${snapshot.cluster_id} / ${snapshot.run_id}`}>
            <span class="crumb">
              <bdi>{snapshot.cluster_id}</bdi> /{' '}
            </span>
            <PartedName name={snapshot.run_id} />
          </h1>
          <Groups screen={screen} />
          {at.value === null ? <Standing screen={screen} /> : <StoodAs snapshot={shown} />}
          {shown !== null && <Reason snapshot={shown} />}
          <Tags snapshot={snapshot} />
        </div>
      </section>
      <dl class="run-figures">
        {facts.map((fact) => (
          <Fact key={fact.name} of={fact} />
        ))}
      </dl>
    </>
  );
}

/** The groups of the run, or the run that the address names beside it, and the way to see both. */
function Groups({ screen }: { screen: RunScreen }) {
  const { key } = screen.run;
  const { named, groups } = screen.beside.value;
  const other = otherKeyOf(key, { named, groups });
  const swap = useMemo(
    () => () => {
      const address = route.peek();
      if (other === null || address.view !== 'run') return;
      goTo(runAddress(other, { log: address.log, pane: address.pane, b: named === null ? null : key }));
    },
    [other, key, named],
  );
  useShortcut('run.other', swap);
  if (other === null) {
    const group = key.split('/')[2]!;
    return group === 'default' ? null : <span class="tag group">{group}</span>;
  }
  const keys = named === null ? groups.slice(0, GROUPS_SHOWN) : [key, other];
  const labelOf = (each: string) => each.split('/')[named === null || isGroupOf(each, key) ? 2 : 1]!;
  const names = keys.map((each) => each.split('/')[isGroupOf(other, key) ? 2 : 1]!);
  const linkOf = (each: string) => linkTo(runAddress(each, { b: named === null ? null : key }));
  return (
    <nav class="groups" aria-label="Groups">
      {[...new Set([...keys, key])].map((each) =>
        each === key ? (
          <span key={each} class="tag group" aria-current="page">
            <PartedName name={labelOf(each)} others={names} />
          </span>
        ) : (
          <a
            key={each}
            class="tag"
            href={linkOf(each)}
            title={each === other ? `${each} (a)` : each}
            aria-label={labelOf(each)}
          >
            <PartedName name={labelOf(each)} others={names} />
          </a>
        ),
      )}
      <a
        class="tag"
        href={linkTo(runAddress(key, { b: other, pane: 'ab' }))}
        title={`${labelOf(key)} beside ${labelOf(other)}`}
      >
        A ⇄ B
      </a>
    </nav>
  );
}

const GROUPS_SHOWN = 4;

function isGroupOf(key: string, other: string): boolean {
  return key.slice(0, key.lastIndexOf('/')) === other.slice(0, other.lastIndexOf('/'));
}

/** How the run stood in the past. Its age then says nothing. */
function StoodAs({ snapshot }: { snapshot: DeliveredSnapshot | null }) {
  if (snapshot === null) return null;
  const { status } = snapshot;
  return (
    <p class="standing standing-past">
      <span class={`state state-${status}`}>
        <span aria-hidden="true">{stateGlyphs[status]}</span> {stateWords[status]}
      </span>{' '}
      <span class="dim">then</span>
    </p>
  );
}

function Standing({ screen }: { screen: RunScreen }) {
  const { state, glyph, word, detail } = screen.run.standing.value;
  return (
    <p class="standing">
      <span class={`state state-${state}`}>
        <span aria-hidden="true">{glyph}</span> {word}
      </span>{' '}
      <span class="dim">{detail}</span>
    </p>
  );
}

/** The evidence that the log does not hold a run's beginning. */
const beginningEvidence = {
  first_numbers_missing: 'the first numbers of an emitter are missing',
  resumed_from_elsewhere: 'the run resumed from an episode that is not there',
} as const;

function Tags({ snapshot }: { snapshot: DeliveredSnapshot }) {
  const { task_name: task, reward_mode: mode, n_envs: envs, slot_ids: slots, attempt } = snapshot;
  const size = [
    envs === null ? null : counted(envs, 'env'),
    slots.length > 0 ? counted(slots.length, 'slot') : null,
  ];
  const sizes = size.filter((part) => part !== null).join(' · ');
  return (
    <div class="tags">
      {task !== null && task !== '' && (
        <span class="tag" title={visibleText(task)}>
          <bdi>{visibleText(task)}</bdi>
        </span>
      )}
      {mode !== null && mode !== '' && (
        <span class="tag">
          reward: <bdi>{visibleText(mode)}</bdi>
        </span>
      )}
      {sizes !== '' && <span class="tag">{sizes}</span>}
      {attempt > 1 && <span class="tag">attempt {countText(attempt)}</span>}
      {snapshot.partial === true && (
        <span
          class="tag tag-warn"
          title={snapshot.partial_because === null ? undefined : beginningEvidence[snapshot.partial_because]}
        >
          beginning not kept
        </span>
      )}
    </div>
  );
}

function Reason({ snapshot: { status, end } }: { snapshot: DeliveredSnapshot }) {
  if (status === 'running' || end === null || end.reason === null) return null;
  return (
    <p class={`reason reason-${status}`} title={visibleText(end.reason)}>
      <bdi>{visibleText(end.reason)}</bdi>
    </p>
  );
}

function Fact({ of: { name, title, value, note, noteTone, tone, part } }: { of: HeaderFact }) {
  return (
    <div class="fact">
      <dt title={title}>{name}</dt>
      <dd class={tone ?? undefined}>
        {value}
        {note !== null && <span class={noteTone ?? 'of'}>{note}</span>}
        {part !== null && <progress value={part} max={1} aria-label={title} />}
      </dd>
    </div>
  );
}
