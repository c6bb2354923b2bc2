import { batch, useComputed, useSignal } from '@preact/signals';
import { QUERY_CHARS_MAX } from '@runlog/schema/limits';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { useCallback, useEffect, useRef } from 'preact/hooks';
import type { RunScreen } from '../run/run-screen.ts';
import { route } from '../shell/route.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { visibleText } from '../text/visible-text.ts';
import type { FilterValues, Suggestion } from './filter-suggestions.ts';
import { parseFilter } from './log-filter.ts';

type Suggesting = typeof import('./filter-suggestions.ts');

/** The log is asked for anew when nothing was typed for so long. */
const TYPED_MS = 200;

/** The box that filters the log: suggestions for the word at the caret, and what is wrong with what stands in it. */
export function FilterBox({ screen }: { screen: RunScreen }) {
  const input = useRef<HTMLInputElement>(null);
  const box = useFilterBox(screen);
  useShortcut(
    'run.filter',
    useCallback(() => input.current?.focus(), []),
  );
  const items = box.items.value;
  const isOpen = box.isOpen.value && items.length > 0;
  const chosen = isOpen ? box.chosen.value : -1;
  const fault = box.fault.value;
  const take = (item: Suggestion) => {
    const caret = box.take(item);
    requestAnimationFrame(() => input.current?.setSelectionRange(caret, caret));
  };
  const keyDown = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0 && items.length > 0) box.choose(step);
    else if (event.key === 'Enter' && chosen >= 0) take(items[chosen]!);
    else if (event.key === 'Enter') box.commit();
    else if (event.key === 'Escape' && isOpen) box.isOpen.value = false;
    else if (event.key === 'Escape') input.current?.blur();
    else return;
    event.preventDefault();
  };
  return (
    <div class="log-filter">
      <input
        ref={input}
        type="search"
        class="field"
        {...comboBox({ isOpen, chosen })}
        aria-label="Filter the log"
        aria-invalid={fault !== null}
        aria-describedby={fault === null ? undefined : 'log-filter-fault'}
        placeholder="filter: type:gate env:2"
        autocomplete="off"
        spellcheck={false}
        maxLength={4 * QUERY_CHARS_MAX}
        value={box.typed.value}
        onInput={({ currentTarget }) => box.type(currentTarget.value, currentTarget.selectionStart)}
        onFocus={({ currentTarget }) => {
          void box.prepare();
          box.type(box.typed.peek(), currentTarget.selectionStart);
        }}
        onBlur={() => box.commit()}
        onKeyDown={keyDown}
      />
      <kbd>f</kbd>
      <div
        id="log-filter-suggestions"
        class="log-suggestions"
        role="listbox"
        aria-label="Suggestions"
        hidden={!isOpen}
      >
        {items.map((item, at) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the box, which keeps the focus
          <div
            key={item.word}
            id={`log-filter-${at}`}
            class="log-suggestion"
            role="option"
            tabIndex={-1}
            aria-selected={at === chosen}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => take(item)}
          >
            <bdi class="mono">{visibleText(item.word)}</bdi> <bdi class="dim">{visibleText(item.says)}</bdi>
          </div>
        ))}
      </div>
      {fault !== null && !isOpen && (
        <output id="log-filter-fault" class="log-filter-fault bad">
          {visibleText(fault)}
        </output>
      )}
    </div>
  );
}

/** What makes a box with a list box below it one thing. A `<datalist>` would not let the suggestions follow the caret. */
function comboBox({ isOpen, chosen }: { isOpen: boolean; chosen: number }) {
  return {
    role: 'combobox',
    list: undefined,
    'aria-expanded': isOpen,
    'aria-controls': 'log-filter-suggestions',
    'aria-autocomplete': 'list',
    'aria-activedescendant': chosen < 0 ? undefined : `log-filter-${chosen}`,
  } as const;
}

/** What was typed goes into the address once it is valid. What the address says comes into the box. */
function useFilterBox(screen: RunScreen) {
  const typed = useSignal('');
  const caret = useSignal(0);
  const isOpen = useSignal(false);
  const chosen = useSignal(-1);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const inAddress = useComputed(() => (route.value.view === 'run' ? route.value.log : ''));
  const values = useComputed(() => valuesOf(screen.shown.value ?? screen.run.snapshot.value));
  const parsed = useComputed(() => parseFilter(typed.value, { types: values.value.types }));
  /** Loaded when the box is first used. Whatever keeps it from that, a filter can be typed without it. */
  const suggesting = useSignal<Suggesting | null>(null);
  const suggested = useComputed(
    () => suggesting.value?.suggestionsAt(typed.value, caret.value, values.value) ?? null,
  );
  const write = () => {
    clearTimeout(timer.current);
    if (parsed.peek().kind === 'filter') screen.log.setFilter(typed.peek().trim());
  };
  useEffect(() => {
    if (inAddress.value !== typed.peek().trim()) typed.value = inAddress.value;
  }, [inAddress.value, typed, inAddress]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const put = (text: string, at: number) =>
    batch(() => {
      if (text !== typed.peek()) {
        clearTimeout(timer.current);
        timer.current = setTimeout(write, TYPED_MS);
      }
      typed.value = text;
      caret.value = at;
      isOpen.value = true;
      chosen.value = -1;
    });
  const items = useComputed(() => suggested.value?.items ?? []);
  return {
    ...{ typed, isOpen, chosen, items },
    async prepare() {
      suggesting.value ??= await import('./filter-suggestions.ts').catch(() => null);
    },
    fault: useComputed(() => (parsed.value.kind === 'fault' ? parsed.value.message : null)),
    type: (text: string, at: number | null) => put(text, at ?? text.length),
    /** Goes to the next or the previous suggestion. Before the first one is none. */
    choose(step: 1 | -1) {
      const { length } = items.peek();
      const from = isOpen.peek() ? chosen.peek() + 1 : 0;
      isOpen.value = true;
      chosen.value = ((from + step + length + 1) % (length + 1)) - 1;
    },
    /** Returns where the caret is then. */
    take(item: Suggestion): number {
      const next = suggesting.peek()!.withSuggestion(typed.peek(), suggested.peek()!, item);
      put(next.typed, next.caret);
      return next.caret;
    },
    commit() {
      isOpen.value = false;
      write();
    },
  };
}

function valuesOf(snapshot: DeliveredSnapshot | null): FilterValues {
  if (snapshot === null) return { types: [], envs: 0, slots: [] };
  return {
    types: Object.keys(snapshot.counts),
    envs: snapshot.n_envs ?? 0,
    slots: snapshot.slot_ids,
  };
}
