import { firstEventCommand } from '@runlog/schema/documents/first-event';
import { connection } from './connection.ts';

/** Says what to do when there is no run yet. */
export function FirstSteps() {
  const { hello } = connection();
  const ingestUrl = hello.value?.ingestUrl ?? null;
  return (
    <section class="first-steps">
      <h1>No runs yet</h1>
      <p>Publish an event and it appears here at once:</p>
      <pre>{firstEventCommand(ingestUrl ?? '$INGEST')}</pre>
      {ingestUrl === null && (
        <p class="dim">
          This gateway does not know where its ingest is. Put its address for <code>$INGEST</code>: it is the{' '}
          <code>url</code> in the first line that <code>runlog ingest</code> writes. Whoever runs the gateway
          can set <code>RUNLOG_INGEST_URL</code>, and it stands here.
        </p>
      )}
      <p>Or watch believable training runs:</p>
      <pre>npx runlog simulate</pre>
    </section>
  );
}
