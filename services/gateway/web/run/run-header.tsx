import type { ComponentChildren } from 'preact';
import { figureText, percentText, rateText } from '../text/numbers.ts';
import type { FollowedRun } from './followed-run.ts';

export function RunHeader({ run }: { run: FollowedRun }) {
  const snapshot = run.snapshot.value;
  if (snapshot === null) return null;
  const { max_batches: maxBatches } = snapshot;
  return (
    <section class="head" aria-label="Run">
      <div class="head-title">
        <h1>
          <span class="crumb">{snapshot.cluster_id} / </span>
          {snapshot.run_id}
          <span class="crumb"> / {snapshot.group_id}</span>
        </h1>
        <Standing run={run} />
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
        <Fact name="Accuracy">{percentText(snapshot.batch_avg_accuracy)}</Fact>
        <Fact name="Reward">{figureText(snapshot.batch_avg_reward)}</Fact>
        <Fact name="Germinated">{count(snapshot.cumulative_germinated)}</Fact>
        <Fact name="Fossilised">{count(snapshot.cumulative_fossilized)}</Fact>
        <Fact name="Pruned">{count(snapshot.cumulative_pruned)}</Fact>
        <Fact name="Events">{count(snapshot.total_events_received)}</Fact>
        <Fact name="Events/s">{rateText(run.eventsPerSecond.value)}</Fact>
        <Fact name="Duplicates">{count(snapshot.duplicates)}</Fact>
        <Fact name="Missing" isBad={snapshot.missing > 0}>
          {!snapshot.missing_is_exact && <span class="of">about </span>}
          {count(snapshot.missing)}
        </Fact>
      </dl>
    </section>
  );
}

function Standing({ run }: { run: FollowedRun }) {
  const { state, glyph, word, detail } = run.standing.value;
  return (
    <p class="standing">
      <span class={`state state-${state}`}>
        {glyph} {word}
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
