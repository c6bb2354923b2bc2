/** Individual-class events: shown one by one and kept apart from the flood. Everything else rolls up. */
const milestoneTypes: ReadonlySet<string> = new Set([
  'TRAINING_STARTED',
  'SEED_GERMINATED',
  'SEED_STAGE_CHANGED',
  'SEED_GATE_EVALUATED',
  'SEED_FOSSILIZED',
  'SEED_PRUNED',
  'SEED_CULLED',
  'PPO_UPDATE_COMPLETED',
  'BATCH_EPOCH_COMPLETED',
]);

export function isMilestone(eventType: string): boolean {
  return milestoneTypes.has(eventType);
}
