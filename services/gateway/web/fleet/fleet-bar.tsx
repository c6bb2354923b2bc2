import { QUERY_CHARS_MAX } from '@runlog/schema/limits';
import { runStatesByNeed } from '@runlog/schema/run/run-sorting';
import type { RunSort, RunState } from '@runlog/schema/run/snapshot';
import type { RefObject } from 'preact';
import { useCallback, useRef } from 'preact/hooks';
import { stateGlyphs, stateWords } from '../run/evidence.ts';
import { type Grouping, groupings } from '../shell/address.ts';
import { setOptions } from '../shell/route.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { countText } from '../text/numbers.ts';
import { FLEET_SORT, fleetColumns } from './fleet-columns.ts';
import { wantsMissing, withMissing, withStates } from './fleet-filter.ts';
import type { FleetScreen } from './fleet-screen.ts';

/** The filter, the states with their numbers, and the groups. */
export function FleetBar({ screen }: { screen: FleetScreen }) {
  return (
    <div class="fleet-bar">
      <FilterBox screen={screen} />
      <StateChips screen={screen} />
      <SortChoice screen={screen} />
      <GroupChoice screen={screen} />
    </div>
  );
}

function FilterBox({ screen: { store, cursor } }: { screen: FleetScreen }) {
  const input = useRef<HTMLInputElement>(null);
  useShortcut(
    'find',
    useCallback(() => input.current?.select(), []),
  );
  const fault = store.fault.value;
  return (
    <div class="fleet-filter">
      <input
        ref={input}
        class="search"
        type="search"
        placeholder="cluster:c1 state:failed acc>80 name…"
        aria-label="Filter runs"
        aria-invalid={fault !== null}
        aria-describedby="fleet-filter-fault"
        autocomplete="off"
        spellcheck={false}
        maxLength={3 * QUERY_CHARS_MAX}
        value={store.typed.value}
        onInput={(event) => store.setTyped(event.currentTarget.value)}
        onBlur={() => store.flush()}
        onKeyDown={(event) =>
          onFilterKey(event, { input, clear: () => store.setTyped(''), goDown: () => cursor.moveTo(0) })
        }
      />
      <kbd>/</kbd>
      <output id="fleet-filter-fault" class={fault === null ? 'visually-hidden' : 'fleet-filter-fault warn'}>
        <bdi>{fault}</bdi>
      </output>
    </div>
  );
}

/** Esc clears the filter, and leaves it when it is empty. Enter and ↓ go to the first run. */
function onFilterKey(
  event: KeyboardEvent,
  { input, clear, goDown }: { input: RefObject<HTMLInputElement | null>; clear(): void; goDown(): void },
): void {
  if (event.isComposing) return;
  if (event.key === 'Escape') {
    event.preventDefault();
    if (input.current?.value === '') input.current.blur();
    else clear();
  } else if (event.key === 'Enter' || event.key === 'ArrowDown') {
    event.preventDefault();
    goDown();
    document.querySelector<HTMLElement>('.fleet-table')?.focus({ preventScroll: true });
  }
}

/** The drawing's order: what runs first, what is over last. */
const chipStates = [
  'running',
  'quiet',
  'lost_contact',
  'failed',
  'finished',
] as const satisfies readonly RunState[];

function StateChips({ screen: { store } }: { screen: FleetScreen }) {
  const counts = store.counts.value;
  const filter = store.filter.value;
  const choose = (state: RunState, isAdded: boolean) => {
    const held = filter.states;
    const isChosen = held.includes(state);
    const others = held.filter((each) => each !== state);
    const next = isAdded
      ? isChosen
        ? others
        : [...others, state]
      : isChosen && others.length === 0
        ? []
        : [state];
    store.setTyped(
      withStates(
        store.typed.peek(),
        runStatesByNeed.filter((each) => next.includes(each)),
      ),
    );
  };
  return (
    <div class="fleet-chips" role="group" aria-label="States">
      <Chip
        isPressed={filter.states.length === 0}
        count={counts?.all ?? null}
        onPress={() => store.setTyped(withStates(store.typed.peek(), []))}
      >
        all
      </Chip>
      {chipStates.map((state) => (
        <Chip
          key={state}
          isPressed={filter.states.includes(state)}
          count={counts === null ? null : (counts.states[state] ?? 0)}
          title="With Ctrl or Shift: beside the states that are chosen"
          onPress={(event) => choose(state, event.ctrlKey || event.metaKey || event.shiftKey)}
        >
          <span class={`state-${state}`} aria-hidden="true">
            {stateGlyphs[state]}
          </span>{' '}
          {stateWords[state]}
        </Chip>
      ))}
      <Chip
        isPressed={wantsMissing(filter)}
        count={counts?.missing ?? null}
        title="Runs of which events are missing"
        onPress={() => store.setTyped(withMissing(store.typed.peek(), !wantsMissing(filter)))}
      >
        <span class="warn" aria-hidden="true">
          !
        </span>{' '}
        missing
      </Chip>
    </div>
  );
}

interface ChipProps {
  readonly isPressed: boolean;
  readonly count: number | null;
  readonly title?: string;
  readonly children: preact.ComponentChildren;
  onPress(event: MouseEvent): void;
}

function Chip({ isPressed, count, title, children, onPress }: ChipProps) {
  return (
    <button
      type="button"
      class={count === 0 ? 'chip chip-none' : 'chip'}
      aria-pressed={isPressed}
      title={title}
      onClick={onPress}
    >
      {children} <span class="chip-count">{count === null ? '…' : countText(count)}</span>
    </button>
  );
}

const sortNames = fleetColumns.flatMap(({ sort, head }) =>
  sort === null ? [] : [{ sort: sort as RunSort, head }],
);

/** For the cards, which have no heads. */
function SortChoice({ screen: { store } }: { screen: FleetScreen }) {
  return (
    <label class="fleet-choice fleet-sort-choice">
      sort:
      <select
        value={store.sort.value}
        onChange={(event) => {
          const { value } = event.currentTarget;
          setOptions('fleet', { sort: value === FLEET_SORT ? null : value });
        }}
      >
        {sortNames.flatMap(({ sort, head }) => [
          <option key={sort} value={sort}>
            {head} {sort.startsWith('-') ? '↓' : '↑'}
          </option>,
          <option key={`other ${sort}`} value={sort.startsWith('-') ? sort.slice(1) : `-${sort}`}>
            {head} {sort.startsWith('-') ? '↑' : '↓'}
          </option>,
        ])}
      </select>
    </label>
  );
}

function GroupChoice({ screen: { store } }: { screen: FleetScreen }) {
  return (
    <label class="fleet-choice">
      by:
      <select
        value={store.by.value ?? ''}
        onChange={(event) =>
          setOptions('fleet', { by: (event.currentTarget.value || null) as Grouping | null })
        }
      >
        <option value="">nothing</option>
        {groupings.map((each) => (
          <option key={each}>{each}</option>
        ))}
      </select>
    </label>
  );
}
