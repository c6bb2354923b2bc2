import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import { runAddress } from '../shell/address.ts';
import { linkTo } from '../shell/route.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { nameParts } from '../text/names.ts';
import { counted, countText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import { otherKeyOf } from './other-run.ts';
import { factsOf, type HeaderFact } from './run-facts.ts';
import type { RunScreen } from './run-screen.ts';

/** The run's name and state, why it failed, and its figures in one line. */
export function RunHeader({ screen }: { screen: RunScreen }) {
  const snapshot = screen.shown.value;
  if (snapshot === null) return <div class="run-head" />;
  return (
    <>
      <section class="run-head" aria-label="Run">
        <div class="run-title">
          {/* The parts of a name are boxes, which would be read as words. */}
          <h1 aria-label={`${snapshot.cluster_id} / ${snapshot.run_id}`}>
            <span class="crumb">
              <bdi>{snapshot.cluster_id}</bdi> /{' '}
            </span>
            <Name name={snapshot.run_id} />
          </h1>
          <Groups screen={screen} />
          {screen.at.value === null && <Standing screen={screen} />}
          <Tags snapshot={snapshot} />
        </div>
        <Reason snapshot={snapshot} />
      </section>
      <dl class="run-figures">
        {factsOf(snapshot, {
          perSecond: screen.at.value === null ? screen.run.eventsPerSecond.value : null,
          accuracies: screen.accuracies.value,
        }).map((fact) => (
          <Fact key={fact.name} of={fact} />
        ))}
      </dl>
    </>
  );
}

function Name({ name }: { name: string }) {
  const { head, tail } = nameParts(name);
  return (
    <bdi class="name" title={name}>
      <span class="name-head">{head}</span>
      <span>{tail}</span>
    </bdi>
  );
}

/** The group, the run beside it, and the way to see both. */
function Groups({ screen }: { screen: RunScreen }) {
  const { key } = screen.run;
  const other = otherKeyOf(key, screen.beside.value);
  const swap = useMemo(
    () => () => {
      if (other !== null) location.hash = linkTo(runAddress(other, { b: key }));
    },
    [other, key],
  );
  useShortcut('run.other', swap);
  const group = key.split('/')[2]!;
  if (other === null) return group === 'default' ? null : <span class="tag group">{group}</span>;
  const [own, beside] = [labelOf(key, other), labelOf(other, key)];
  return (
    <span class="groups">
      <span class="tag group" aria-current="true">
        <bdi>{own}</bdi>
      </span>
      <a class="tag" href={linkTo(runAddress(other, { b: key }))} title={`${other} (a)`}>
        <bdi>{beside}</bdi>
      </a>
      <a class="tag" href={linkTo(runAddress(key, { b: other, pane: 'ab' }))}>
        {own} and {beside}
      </a>
    </span>
  );
}

/** The group alone for two groups of one run; else the run's name. */
function labelOf(key: string, other: string): string {
  const [cluster, run, group] = key.split('/') as [string, string, string];
  return other.startsWith(`${cluster}/${run}/`) ? group : run;
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
      {task !== null && (
        <span class="tag">
          <bdi>{visibleText(task)}</bdi>
        </span>
      )}
      {mode !== null && (
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

function Fact({ of: { name, title, value, note, tone, part } }: { of: HeaderFact }) {
  return (
    <div class="fact">
      <dt title={title}>{name}</dt>
      <dd class={tone === null ? '' : `tone-${tone}`}>
        {value}
        {note !== null && <Note>{note}</Note>}
        {part !== null && <progress value={part} max={1} aria-label={title} />}
      </dd>
    </div>
  );
}

function Note({ children }: { children: ComponentChildren }) {
  return <span class="of">{children}</span>;
}
