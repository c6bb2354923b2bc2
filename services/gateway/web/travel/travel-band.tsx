import { instantOf } from '@runlog/schema/events/instant';
import { useMemo } from 'preact/hooks';
import type { RunScreen } from '../run/run-screen.ts';
import { connection } from '../shell/connection.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { ageText, agoText } from '../text/ages.ts';
import { instantText } from '../text/dates.ts';
import { countText } from '../text/numbers.ts';

/** Says that what is shown is the past, as of which event, and the way back. */
export function TravelBand({ screen }: { screen: RunScreen }) {
  const act = useMemo(
    () => ({
      live: () => screen.travelTo(null),
      speed: () => screen.travel.changeSpeed(),
      travel: () => {
        const seq = screen.selected.peek() ?? screen.log.inView.peek()?.toSeq ?? null;
        if (seq !== null) screen.travelTo(seq);
      },
    }),
    [screen],
  );
  useShortcut('run.live', act.live);
  useShortcut('run.speed', act.speed);
  useShortcut('run.time', act.travel);
  const at = screen.at.value;
  if (at === null) return null;
  const speed = screen.travel.speed.value;
  return (
    <section class="travel-band" aria-label="Time travel">
      <strong>NOT LIVE</strong>
      <span role="status">
        as of event {countText(at)}
        <When screen={screen} />
      </span>
      <Shortened screen={screen} />
      <span class="travel-acts">
        <button type="button" aria-pressed={speed !== 0} onClick={act.speed}>
          {speed === 0 ? 'play 1x' : speed === 1 ? 'playing 1x' : 'playing 10x'} <kbd>p</kbd>
        </button>
        <button type="button" onClick={act.live}>
          back to live <kbd>esc</kbd>
        </button>
      </span>
    </section>
  );
}

function When({ screen }: { screen: RunScreen }) {
  const failure = screen.travel.failure.value;
  if (failure !== null) return <span class="bad"> · {failure}</span>;
  const past = screen.travel.past.value;
  if (past === null) return <> · loading …</>;
  const ms = instantOf(past.last_received_at);
  const nowMs = connection().clock.now.value;
  return (
    <>
      , {instantText(ms)}
      {nowMs !== null && `, ${agoText(nowMs - ms)}`}
    </>
  );
}

function Shortened({ screen }: { screen: RunScreen }) {
  const ms = screen.travel.shortenedMs.value;
  if (ms === null) return null;
  return <span>a pause of {ageText(ms)}, shortened</span>;
}
