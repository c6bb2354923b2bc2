import type { EventsPage, StoredEvent } from '@runlog/schema/http/gateway-api';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { entryLine, envText } from '../log/line-text.ts';
import { formatFilter } from '../log/log-filter.ts';
import type { RunScreen } from '../run/run-screen.ts';
import { connection } from '../shell/connection.ts';
import { linkToEvent } from '../shell/route.ts';
import { countText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import { type Asked, type AskedState, createAsked } from './asked.ts';
import { CopyButton } from './copy-button.tsx';
import { type EventLine, eventFields, lineOfEvent, narrowedBy } from './event-fields.ts';
import { EventTimesLine } from './event-times.tsx';
import { PaneNote } from './pane-note.tsx';
import { type FoundEvent, type NoEvent, readBeside, readEvent } from './read-event.ts';
import { useThrottled } from './throttled.ts';

const ASK_AGAIN_MS_MIN = 5_000;

/** The selected event: all that was sent, what narrows the log to its like, and what came before and after it. */
export function EventPane({ screen }: { screen: RunScreen }) {
  const seq = screen.selected.value;
  if (seq === null)
    return <PaneNote sentence="Choose an event in the log, with a click or with ↓ and enter." />;
  return <Selected key={seq} screen={screen} seq={seq} />;
}

function Selected({ screen, seq }: { screen: RunScreen; seq: number }) {
  const { key } = screen.run;
  const asked = useAsked(() =>
    createAsked<FoundEvent>((signal) =>
      readEvent({ seq, ask: (query, own) => askEvents(key, query, own) }, signal),
    ),
  );
  const state = asked.state.value;
  if (state.kind === 'loading') return <Head screen={screen} seq={seq} stored={null} />;
  if (state.kind === 'failed') {
    return (
      <>
        <Head screen={screen} seq={seq} stored={null} />
        <PaneNote
          sentence={`The event cannot be read: ${state.message}.`}
          action="Try again"
          onAction={() => void asked.ask()}
        />
      </>
    );
  }
  if (state.body.kind === 'none') {
    return (
      <PaneNote
        sentence={`Seq ${countText(seq)} ${missingBecause[state.body.why]}.`}
        action="Forget it"
        onAction={() => screen.select(null)}
      />
    );
  }
  const { event } = state.body;
  return (
    <>
      <Head screen={screen} seq={seq} stored={event} />
      <Beside screen={screen} stored={event} />
      <Fields screen={screen} stored={event} />
      <Json stored={event} />
    </>
  );
}

const missingBecause: Readonly<Record<NoEvent, string>> = {
  gone: 'is no longer in the log',
  not_yet: 'has not come yet',
  not_here: 'is no event of this run',
  end: 'is not there',
  too_far: 'was not found',
};

function askEvents(
  key: string,
  query: NonNullable<Parameters<typeof readBeside>[0]['query']>,
  signal: AbortSignal,
) {
  return connection().ask<EventsPage>(`v1/runs/${key}/events`, { query, signal });
}

function useAsked<Body>(create: () => Asked<Body>): Asked<Body> {
  const asked = useMemo(create, []);
  // Not after the next frame: what is left before it would never be let go of.
  useLayoutEffect(() => () => asked[Symbol.dispose](), [asked]);
  return asked;
}

/** What the log knows of the event is there at once; the rest follows. */
function Head({ screen, seq, stored }: { screen: RunScreen; seq: number; stored: StoredEvent | null }) {
  const entry = stored?.entry ?? screen.log.entryOf(seq);
  const type = String(stored?.event.event_type ?? 'Reading the event …');
  const line = entry === null ? null : entryLine(entry);
  return (
    <header class="event-head">
      <h2 class="mono">
        {line === null ? (
          <bdi>{visibleText(type)}</bdi>
        ) : (
          <>
            <span class="dim">{line.env}</span> <bdi class="tone-slot">{visibleText(line.slot)}</bdi>{' '}
            <bdi class={`tone-${line.kind.tone}`}>{visibleText(line.kind.text)}</bdi>{' '}
            {line.text.map(({ tone, text }, at) => (
              <bdi key={at} class={`tone-${tone}`}>
                {visibleText(text)}
              </bdi>
            ))}
          </>
        )}
      </h2>
      <p class="dim mono">
        seq {countText(seq)}
        {stored?.duplicate === true && <span class="warn"> · a duplicate: it came before</span>}
      </p>
      {stored !== null && <EventTimesLine stored={stored} />}
      <p class="event-actions">
        <button type="button" class="small-button" onClick={() => screen.log.goTo(seq)}>
          in the log
        </button>
        <button type="button" class="small-button" onClick={() => screen.travelTo(seq)}>
          as of here
        </button>
        <CopyButton what="copy link" text={() => linkToEvent(seq)} />
      </p>
    </header>
  );
}

function Beside({ screen, stored }: { screen: RunScreen; stored: StoredEvent }) {
  const line = lineOfEvent(stored.entry, envText);
  return (
    <nav class="event-beside" aria-label={`Before and after in ${line.name}`}>
      <BesideOne {...{ screen, stored, line }} to="before" />
      <BesideOne {...{ screen, stored, line }} to="after" />
    </nav>
  );
}

interface BesideProps {
  readonly screen: RunScreen;
  readonly stored: StoredEvent;
  readonly line: EventLine;
  readonly to: 'before' | 'after';
}

function BesideOne({ screen, stored: { seq }, line, to }: BesideProps) {
  const asked = useAsked(() =>
    createAsked<FoundEvent>((signal) =>
      readBeside(
        { seq, to, query: line.query, ask: (query, own) => askEvents(screen.run.key, query, own) },
        signal,
      ),
    ),
  );
  const state = asked.state.value;
  const at = screen.at.value;
  const isLast = to === 'after' && state.kind === 'ok' && state.body.kind === 'none';
  useAskAgain(asked, { screen, isWanted: isLast });
  const isLater =
    state.kind === 'ok' && state.body.kind === 'event' && at !== null && state.body.event.seq > at;
  return (
    <p>
      <span class="event-beside-name">
        {to} in <bdi>{visibleText(line.name)}</bdi>
      </span>{' '}
      {isLater ? (
        <span class="dim">later than what is shown</span>
      ) : (
        <BesideFound {...{ state, screen, asked }} />
      )}
    </p>
  );
}

/** Asks again, now and then, while new events come: one of them may be what was not there. */
function useAskAgain(
  asked: Asked<FoundEvent>,
  { screen, isWanted }: { screen: RunScreen; isWanted: boolean },
): void {
  const newest = useThrottled(screen.run.snapshot.value?.position?.seq ?? null, ASK_AGAIN_MS_MIN);
  const askedFor = useRef(newest);
  useEffect(() => {
    if (!isWanted || newest === askedFor.current) return;
    askedFor.current = newest;
    void asked.ask();
  }, [asked, isWanted, newest]);
}

function BesideFound({
  state,
  screen,
  asked,
}: {
  state: AskedState<FoundEvent>;
  screen: RunScreen;
  asked: Asked<FoundEvent>;
}) {
  if (state.kind === 'loading') return <span class="dim">…</span>;
  if (state.kind === 'failed') {
    return (
      <button type="button" class="text-button" onClick={() => void asked.ask()}>
        not read; try again
      </button>
    );
  }
  if (state.body.kind === 'none') {
    return <span class="dim">{state.body.why === 'too_far' ? 'none near in the log' : 'nothing'}</span>;
  }
  const { seq, entry } = state.body.event;
  const { kind, text } = entryLine(entry!);
  return (
    <button
      type="button"
      class="text-button mono"
      onClick={() => {
        screen.select(seq);
        screen.log.goTo(seq);
      }}
    >
      <bdi>{visibleText([kind.text, ...text.map((span) => span.text)].join(' '))}</bdi>
    </button>
  );
}

function Fields({ screen, stored }: { screen: RunScreen; stored: StoredEvent }) {
  const fields = useMemo(() => eventFields(stored), [stored]);
  const { log } = screen;
  return (
    <table class="event-fields">
      <tbody>
        {fields.map(({ name, value, filter }) => (
          <tr key={name}>
            <th scope="row">
              <bdi>{visibleText(name)}</bdi>
            </th>
            <td>
              <bdi>{visibleText(value)}</bdi>
            </td>
            <td>
              {filter !== null && (
                <button
                  type="button"
                  class="text-button"
                  aria-label={`Filter the log by ${name}`}
                  title={`filter the log by ${visibleText(name)}`}
                  onClick={() => log.setFilter(formatFilter(narrowedBy(log.filter.peek(), filter)))}
                >
                  filter
                </button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Json({ stored }: { stored: StoredEvent }) {
  const text = useMemo(() => JSON.stringify(stored.event, null, 2), [stored]);
  return (
    <section class="event-json">
      <p class="event-json-head">
        <span class="dim">as it was sent</span> <CopyButton what="copy JSON" text={() => text} />
      </p>
      <pre>
        <bdi>{text.split('\n').map((each) => `${visibleText(each)}\n`)}</bdi>
      </pre>
    </section>
  );
}
