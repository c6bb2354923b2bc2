import type { RunKey } from '@runlog/schema/run/run-key';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';

/**
 * Makes the state of a run before its first event. Its position is below every record. The order of the fields is the
 * order of the stored bytes.
 */
export function initialRun(key: RunKey): RunSnapshot {
  return {
    cluster_id: key.cluster_id,
    run_id: key.run_id,
    group_id: key.group_id,
    position: { epoch: '', seq: -1 },
    first_seq: 0,
    evicted_seq: null,
    last_event_id: '',
    partial: null,
    partial_because: null,
    started_at: null,
    last_received_at: '',
    last_event_at: null,
    status: 'running',
    end: null,
    attempt: 0,
    attempts: [],
    interval_ms: null,
    task_name: null,
    reward_mode: null,
    slot_ids: [],
    n_envs: null,
    current_episode: 0,
    current_batch: 0,
    max_batches: null,
    max_epochs: null,
    batch_avg_accuracy: null,
    batch_avg_reward: null,
    ppo: { entropy: null, clip_fraction: null, kl_divergence: null },
    total_events_received: 0,
    duplicates: 0,
    missing: 0,
    missing_is_exact: true,
    conflicts: 0,
    unsure: 0,
    cumulative_germinated: 0,
    cumulative_fossilized: 0,
    cumulative_pruned: 0,
    counts: {},
    emitters_evicted: 0,
    event_log: [],
    milestones: [],
    emitters: {},
    landmarks: [],
    repeats: { unknown_below: 0, ranges: [] },
    event_id_window: '',
    activity: [],
  };
}
