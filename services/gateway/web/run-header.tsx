import type { ComponentChildren } from 'preact';
import { rateText } from './event-log-lines.ts';
import { freshness, type ShownRun } from './store.ts';

export function RunHeader({ run }: { run: ShownRun }) {
  const { snapshot } = run;
  const { max_batches: maxBatches } = snapshot;
  return (
    <section class="head" aria-label="Run">
      <div class="head-title">
        <h1>
          <span class="crumb">{snapshot.cluster_id} / </span>
          {snapshot.run_id}
          <span class="crumb"> / {snapshot.group_id}</span>
        </h1>
        <Pulse run={run} />
      </div>
      <div class="tags">
        {snapshot.task_name !== null && <span class="tag">{snapshot.task_name}</span>}
        {snapshot.reward_mode !== null && <span class="tag">reward: {snapshot.reward_mode}</span>}
        {snapshot.n_envs !== null && <span class="tag">{snapshot.n_envs} envs</span>}
        {snapshot.attempt > 1 && <span class="tag">attempt {count(snapshot.attempt)}</span>}
        {snapshot.partial === true && (
          <span
            class="tag tag-warn"
            title={
              snapshot.partial_because === null ? undefined : beginningEvidence[snapshot.partial_because]
            }
          >
            beginning not kept
          </span>
        )}
      </div>
      {snapshot.status !== 'running' && snapshot.end !== null && snapshot.end.reason !== null && (
        <p class={`reason reason-${snapshot.status}`} dir="auto">
          {snapshot.end.reason}
        </p>
      )}
      <dl class="facts">
        <Fact name="Batch" wide>
          {count(snapshot.current_batch)}
          {maxBatches !== null && <span class="of"> / {count(maxBatches)}</span>}
          {maxBatches !== null && maxBatches > 0 && (
            <progress value={Math.min(snapshot.current_batch, maxBatches)} max={maxBatches} />
          )}
        </Fact>
        <Fact name="Episode">{count(snapshot.current_episode)}</Fact>
        <Fact name="Accuracy">{figure(snapshot.batch_avg_accuracy, '%')}</Fact>
        <Fact name="Reward">{figure(snapshot.batch_avg_reward)}</Fact>
        <Fact name="Germinated">{count(snapshot.cumulative_germinated)}</Fact>
        <Fact name="Fossilised">{count(snapshot.cumulative_fossilized)}</Fact>
        <Fact name="Pruned">{count(snapshot.cumulative_pruned)}</Fact>
        <Fact name="Events">{count(snapshot.total_events_received)}</Fact>
        <Fact name="Events/s">{rateText(run.eventsPerSecond)}</Fact>
        <Fact name="Duplicates">{count(snapshot.duplicates)}</Fact>
        <Fact name="Missing" isBad={snapshot.missing > 0}>
          {!snapshot.missing_is_exact && <span class="of">about </span>}
          {count(snapshot.missing)}
        </Fact>
      </dl>
    </section>
  );
}

/** Shows whether the run is alive, by the events that the server received. The connection has its own sign. */
function Pulse({ run }: { run: ShownRun }) {
  const { status, position } = run.snapshot;
  if (position === null) return <output class="pulse pulse-stale">○ WAITING</output>;
  if (status !== 'running') {
    return (
      <output class={`pulse pulse-${status}`}>{status === 'finished' ? '✓ FINISHED' : '✗ FAILED'}</output>
    );
  }
  const sign = { live: '● LIVE', slow: '◐ SLOW', stale: '○ STALE' }[freshness.value];
  return <output class={`pulse pulse-${freshness.value}`}>{sign}</output>;
}

/** The evidence that the log does not hold a run's beginning. */
const beginningEvidence = {
  first_numbers_missing: 'the first numbers of an emitter are missing',
  resumed_from_elsewhere: 'the run resumed from an episode that is not there',
} as const;

function Fact(props: { name: string; children: ComponentChildren; isBad?: boolean; wide?: boolean }) {
  return (
    <div class={props.wide ? 'fact fact-wide' : 'fact'}>
      <dt>{props.name}</dt>
      <dd class={props.isBad ? 'bad' : ''}>{props.children}</dd>
    </div>
  );
}

function count(value: number): string {
  return value.toLocaleString('en');
}

function figure(value: number | null, unit = ''): string {
  return value === null ? '–' : `${value.toFixed(Math.abs(value) < 10 ? 2 : 1)}${unit}`;
}
