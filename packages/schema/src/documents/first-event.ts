/**
 * Returns a shell command that publishes an event. The event's id and time come from the shell, so that it counts again
 * when it is pasted again.
 */
export function firstEventCommand(ingestUrl: string): string {
  return `curl -sS ${ingestUrl}/v1/events -H 'content-type: application/json' -d '{
  "event_id": "hello-'$(date +%s)'", "event_type": "EPOCH_COMPLETED", "run_id": "hello",
  "timestamp": "'$(date -u +%Y-%m-%dT%H:%M:%SZ)'",
  "data": {"env_id": 0, "val_accuracy": 61.5, "val_loss": 1.04, "inner_epoch": 1}}'`;
}
