import { useCallback, useRef } from 'preact/hooks';
import type { RunScreen } from '../run/run-screen.ts';
import { setOptions } from '../shell/route.ts';
import { useRoving } from '../shell/roving.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { useMoreSign } from '../shell/use-more-sign.ts';
import { CopyButton } from '../side/copy-button.tsx';
import { counted, countText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import { CopyLink } from './copy-link.tsx';
import type { DripState } from './drip-feed.ts';
import { FilterBox } from './filter-box.tsx';
import { type Chip, chipsOf, formatFilter, withChip } from './log-filter.ts';
import { markedText } from './marked-rows.ts';

/** What stands above the log: its filter, the classes of its events, and whether it goes on. */
export function FilterBar({ screen }: { screen: RunScreen }) {
  return (
    <div class="log-bar" role="toolbar" aria-label="Log">
      <FilterBox screen={screen} />
      <ClassChips screen={screen} />
      <span class="log-bar-end">
        <PanesButton screen={screen} />
        <CopyMarked screen={screen} />
        <DripButton screen={screen} />
        <RawButton screen={screen} />
        <FollowButton screen={screen} />
      </span>
      <CopyLink screen={screen} />
    </div>
  );
}

/** In a low window the panes are away with their tabs until one is asked for: this is the way to them without keys. */
function PanesButton({ screen }: { screen: RunScreen }) {
  const isOpen = screen.pane.value !== null;
  return (
    <button
      type="button"
      class="chip log-panes"
      aria-expanded={isOpen}
      onClick={() => setOptions('run', { pane: isOpen ? null : 'charts' })}
    >
      panes
    </button>
  );
}

/** The classes of events with how many the run has of each. A press leaves one out. */
function ClassChips({ screen }: { screen: RunScreen }) {
  const snapshot = screen.shown.value ?? screen.run.snapshot.value;
  const filter = screen.log.filter.value;
  const press = (chip: Chip) => screen.log.setFilter(formatFilter(withChip(filter, chip)));
  const chips = chipsOf(snapshot?.counts ?? {}, filter);
  const roving = useRoving(chips.length);
  const box = useRef<HTMLDivElement>(null);
  useMoreSign(box);
  return (
    <div class="log-chips" role="group" aria-label="Classes of events" ref={box} onKeyDown={roving.onKeyDown}>
      {chips.map((chip, at) => (
        <button
          key={chip.name}
          type="button"
          class="chip"
          aria-pressed={chip.isOn}
          tabIndex={roving.tabIndexOf(at)}
          title={chip.isOn ? `leave out ${visibleText(chip.name)}` : `show ${visibleText(chip.name)} again`}
          onClick={() => press(chip)}
        >
          <bdi>{visibleText(chip.name)}</bdi> {countText(chip.count)}
        </button>
      ))}
    </div>
  );
}

/** Copies the rows that are marked with shift, one line each. */
function CopyMarked({ screen: { log } }: { screen: RunScreen }) {
  // Rows that come between the marked ones are copied with them.
  void log.rows.value;
  const marked = markedText(log, log.marked.value);
  if (marked === null) return null;
  return (
    <CopyButton
      what={`copy ${counted(marked.lines, 'line')}`}
      text={() => markedText(log, log.marked.peek())?.text ?? ''}
    />
  );
}

/** The switch of the drip. While it holds events it says how late they are. */
function DripButton({ screen: { log, at } }: { screen: RunScreen }) {
  const state = log.drip.state.value;
  if (at.value !== null) return null;
  const isOn = state.kind !== 'off';
  const late = state.kind === 'dripping' ? ` ${(state.delayMs / 1_000).toFixed(1)} s` : isOn ? ' –' : '';
  return (
    <button
      type="button"
      class="chip log-drip"
      aria-pressed={isOn}
      aria-label="drip: show events one after the other"
      title={dripTitle(state)}
      onClick={() => log.drip.toggle()}
    >
      drip{late}
    </button>
  );
}

function dripTitle(state: DripState): string {
  switch (state.kind) {
    case 'off':
      return 'show events one after the other, a second later';
    case 'dripping':
      return 'events appear one after the other, so late; press to show them at once';
    case 'resting':
      return `shows all at once now: ${restingWords[state.because]}`;
    default: {
      const unreachable: never = state;
      throw new Error(`unknown state ${String(unreachable)}`);
    }
  }
}

const restingWords = {
  motion: 'this system asks for less motion',
  reading: 'the log is not followed',
  rate: 'more than 15 lines a second',
} as const;

function RawButton({ screen: { log } }: { screen: RunScreen }) {
  const toggle = useCallback(() => {
    log.marked.value = null;
    setOptions('run', { raw: !log.isRaw.peek() });
  }, [log]);
  useShortcut('run.rows.raw', toggle);
  return (
    <button
      type="button"
      class="chip"
      aria-pressed={log.isRaw.value}
      title="every event raw"
      onClick={toggle}
    >
      raw <kbd>r</kbd>
    </button>
  );
}

function FollowButton({ screen }: { screen: RunScreen }) {
  const { isFollowing, isPaused } = screen.log.state.value;
  if (screen.at.value !== null) return null;
  const word = isFollowing ? 'following' : isPaused ? 'paused' : 'reading';
  return (
    <button
      type="button"
      class="chip log-follow"
      aria-pressed={isPaused}
      title={isFollowing ? 'pause the log' : 'follow the log'}
      onClick={() => (isFollowing ? screen.log.pause() : screen.log.follow())}
    >
      {word} <kbd>space</kbd>
    </button>
  );
}
