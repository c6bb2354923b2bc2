import { useSignal } from '@preact/signals';
import { instantOf } from '@runlog/schema/events/instant';
import { useMemo } from 'preact/hooks';
import type { RunScreen } from '../run/run-screen.ts';
import { connection } from '../shell/connection.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { ageText, agoText } from '../text/ages.ts';
import { clockText, dayText, instantText } from '../text/dates.ts';
import { countText } from '../text/numbers.ts';
import { TravelBox } from './travel-box.tsx';

/** Says that what is shown is the past, as of which event, and the way back. It has the keys of time travel. */
export function TravelBand({ screen }: { screen: RunScreen }) {
  const isBoxOpen = useSignal(false);
  const act = useMemo(
    () => ({
      live: () => screen.travelTo(null),
      speed: () => screen.travel.changeSpeed(),
      travel: () => {
        const seq = screen.selected.peek();
        if (seq === null || seq === screen.at.peek()) isBoxOpen.value = true;
        else screen.travelTo(seq);
      },
    }),
    [screen, isBoxOpen],
  );
  useShortcut('run.live', act.live);
  useShortcut('run.speed', act.speed);
  useShortcut('run.time', act.travel);
  const at = screen.at.value;
  return (
    <>
      <TravelBox screen={screen} isOpen={isBoxOpen} />
      {at !== null && <Band {...{ screen, at }} onLive={act.live} onSpeed={act.speed} />}
    </>
  );
}

function Band(props: { screen: RunScreen; at: number; onLive(): void; onSpeed(): void }) {
  const { screen, at, onLive, onSpeed } = props;
  const speed = screen.travel.speed.value;
  return (
    <section class="travel-band" aria-label="Time travel">
      <strong>NOT LIVE</strong>
      {/* What is played would be read out once a second. */}
      <span role={speed === 0 ? 'status' : undefined}>
        as of event {countText(at)}
        <When screen={screen} />
      </span>
      <Failure screen={screen} />
      <Hold screen={screen} />
      <span class="travel-acts">
        <button type="button" aria-pressed={speed !== 0} onClick={onSpeed}>
          {speed === 0 ? 'play 1x' : speed === 1 ? 'playing 1x' : 'playing 10x'} <kbd>p</kbd>
        </button>
        <button type="button" onClick={onLive}>
          back to live (Esc)
        </button>
      </span>
    </section>
  );
}

function When({ screen }: { screen: RunScreen }) {
  const past = screen.travel.past.value;
  if (screen.travel.failure.value !== null) return null;
  if (past === null) return <> · counting the run up to it …</>;
  const ms = instantOf(past.last_event_at ?? past.last_received_at);
  const nowMs = connection().clock.now.value;
  const isToday = nowMs !== null && dayText(nowMs) === dayText(ms);
  return (
    <>
      , <span title={instantText(ms)}>{isToday ? clockText(ms) : instantText(ms)}</span>
      {nowMs !== null && !Number.isNaN(ms) && `, ${agoText(nowMs - ms)}`}
    </>
  );
}

function Failure({ screen }: { screen: RunScreen }) {
  const failure = screen.travel.failure.value;
  if (failure === null) return null;
  return (
    <span role="alert">
      <bdi>{failure.sentence}</bdi>{' '}
      {failure.retry !== null && (
        <button type="button" class="text-button" onClick={() => screen.travel.retry()}>
          {failure.retry}
        </button>
      )}
    </span>
  );
}

function Hold({ screen }: { screen: RunScreen }) {
  const hold = screen.travel.hold.value;
  if (hold === null) return null;
  if (hold === 'no_answer') return <span>waits for the gateway, which does not answer</span>;
  return <span>a pause of {ageText(hold.shortenedMs)}, shortened</span>;
}
