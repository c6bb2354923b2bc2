import { firstEventCommand } from '@runlog/schema/documents/first-event';

const DEFAULT_INGEST_URL = 'http://127.0.0.1:4000';

/** Says what to do when there is no run yet. */
export function FirstSteps() {
  return (
    <section class="first-steps">
      <h1>No runs yet</h1>
      <p>Publish an event and it appears here at once:</p>
      <pre>{firstEventCommand(DEFAULT_INGEST_URL)}</pre>
      <p>Or watch believable training runs:</p>
      <pre>npx runlog simulate</pre>
    </section>
  );
}
