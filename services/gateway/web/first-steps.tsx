const command = `curl http://127.0.0.1:4000/v1/events -H 'content-type: application/json' -d '
  {"event_id": "hello-'$(date +%s)'", "event_type": "EPOCH_COMPLETED", "run_id": "hello",
   "timestamp": "'$(date -u +%Y-%m-%dT%H:%M:%SZ)'",
   "data": {"env_id": 0, "val_accuracy": 61.5, "val_loss": 1.04, "inner_epoch": 1}}'`;

/** Says what to do when there is no run yet. */
export function FirstSteps() {
  return (
    <section class="first-steps">
      <h1>No runs yet</h1>
      <p>Publish an event and it appears here at once:</p>
      <pre>{command}</pre>
      <p>Or watch believable training runs:</p>
      <pre>npx runlog simulate</pre>
    </section>
  );
}
