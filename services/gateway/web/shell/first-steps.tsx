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
          This gateway does not know where its ingest is. Put its address for <code>$INGEST</code>: ingest
          writes it when it starts. Whoever runs the gateway can set <code>RUNLOG_INGEST_URL</code>, and it
          stands here.
        </p>
      )}
      <p>Or watch believable training runs:</p>
      <pre>{simulateCommand(ingestUrl)}</pre>
    </section>
  );
}

/** Where `runlog simulate` sends without being told. */
const INGEST_DEFAULT = 'http://127.0.0.1:4000';

function simulateCommand(ingestUrl: string | null): string {
  const isTold = ingestUrl !== INGEST_DEFAULT;
  return `${isTold ? `RUNLOG_INGEST_URL=${ingestUrl ?? '$INGEST'} ` : ''}npx runlog simulate`;
}
