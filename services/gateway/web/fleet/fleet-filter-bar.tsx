import { QUERY_CHARS_MAX } from '@runlog/schema/limits';
import type { RunState } from '@runlog/schema/run/snapshot';
import { useCallback, useRef } from 'preact/hooks';
import { stateGlyphs, stateWords } from '../run/evidence.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { countText } from '../text/numbers.ts';
import { type FleetFilter, formatFleetFilter, noFleetFilter } from './fleet-filter.ts';
import type { FleetStore } from './fleet-store.ts';

const states: readonly RunState[] = ['failed', 'lost_contact', 'quiet', 'running', 'finished'];
const MISSING = 'missing>0';

/** The box that filters the runs, and what is wrong with what stands in it. */
export function FleetFilterBox({ store }: { store: FleetStore }) {
  const input = useRef<HTMLInputElement>(null);
  useShortcut(
    'find',
    useCallback(() => input.current?.focus(), []),
  );
  const filter = store.filter.value;
  const isFault = filter.kind === 'fault';
  return (
    <div class="fleet-filter">
      <input
        ref={input}
        type="search"
        class="field"
        placeholder="cluster:c1 state:failed acc>80 name…"
        aria-label="Filter runs"
        aria-invalid={isFault}
        aria-describedby={isFault ? 'fleet-filter-fault' : undefined}
        autocomplete="off"
        spellcheck={false}
        maxLength={4 * QUERY_CHARS_MAX}
        value={store.typed.value}
        onInput={(event) => store.type(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') event.currentTarget.blur();
        }}
      />
      <kbd>/</kbd>
      {isFault && (
        <output id="fleet-filter-fault" class="fleet-filter-fault bad">
          {filter.message}
        </output>
      )}
    </div>
  );
}

/** Chips that show one state, with how many runs of it the rest of the filter finds. */
export function StateChips({ store }: { store: FleetStore }) {
  const parsed = store.filter.value;
  const filter = parsed.kind === 'filter' ? parsed.filter : noFleetFilter;
  const counts = store.shown.value?.counts ?? {};
  const all = states.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  const show = (next: FleetFilter) => store.type(formatFleetFilter(next));
  const isMissing = filter.where.includes(MISSING);
  const missing = store.missing.value;
  return (
    <div class="fleet-chips" role="group" aria-label="States">
      <button
        type="button"
        aria-pressed={filter.states.length === 0}
        onClick={() => show({ ...filter, states: [] })}
      >
        all <b>{countText(all)}</b>
      </button>
      {states.map((state) => {
        const count = counts[state] ?? 0;
        const isOn = filter.states.includes(state);
        if (count === 0 && !isOn) return null;
        return (
          <button
            key={state}
            type="button"
            aria-pressed={isOn}
            onClick={() => show({ ...filter, states: isOn ? without(filter.states, state) : [state] })}
          >
            <span class={`state-${state}`} aria-hidden="true">
              {stateGlyphs[state]}
            </span>{' '}
            {stateWords[state]} <b>{countText(count)}</b>
          </button>
        );
      })}
      {((missing !== null && missing > 0) || isMissing) && (
        <button
          type="button"
          aria-pressed={isMissing}
          onClick={() =>
            show({
              ...filter,
              where: isMissing ? without(filter.where, MISSING) : [...filter.where, MISSING],
            })
          }
        >
          <span class="warn" aria-hidden="true">
            !
          </span>{' '}
          missing <b>{missing === null ? '' : countText(missing)}</b>
        </button>
      )}
    </div>
  );
}

function without<Value>(values: readonly Value[], value: Value): Value[] {
  return values.filter((each) => each !== value);
}
