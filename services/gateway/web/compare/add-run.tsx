import { useSignal } from '@preact/signals';
import type { RunsPage } from '@runlog/schema/http/gateway-api';
import { formatRunKey } from '@runlog/schema/run/run-key';
import { useCallback, useEffect, useRef } from 'preact/hooks';
import { COMPARED_RUNS_MAX } from '../shell/address.ts';
import { connection } from '../shell/connection.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { visibleText } from '../text/visible-text.ts';

const FOUND_MAX = 8;
const TYPED_CHARS_MAX = 200;
/** Whoever types on does not want the answer to what was typed before. */
const ASK_AFTER_MS = 120;

interface Found {
  readonly key: string;
  readonly task: string | null;
}

/** Looks for runs by a part of their names or of their task, and adds them. */
export function AddRun({ keys, onAdd }: { keys: readonly string[]; onAdd(key: string): void }) {
  const input = useRef<HTMLInputElement>(null);
  const typed = useSignal('');
  const found = useSignal<readonly Found[] | null>(null);
  const active = useSignal(0);
  useShortcut(
    'compare.add',
    useCallback(() => input.current?.focus(), []),
  );
  const isFull = keys.length >= COMPARED_RUNS_MAX;
  const q = typed.value.trim();
  useEffect(() => {
    found.value = null;
    active.value = 0;
    if (q === '') return;
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      const query = { q, limit: FOUND_MAX + keys.length };
      const answer = await connection().ask<RunsPage>('v1/runs', { query, signal: stop.signal });
      if (stop.signal.aborted || answer.kind !== 'ok') return;
      found.value = answer.body.runs
        .map((row) => ({ key: formatRunKey(row), task: row.task_name }))
        .filter(({ key }) => !keys.includes(key))
        .slice(0, FOUND_MAX);
    }, ASK_AFTER_MS);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [q, keys, found, active]);
  const add = (run: Found | undefined) => {
    if (run === undefined || isFull) return;
    typed.value = '';
    onAdd(run.key);
  };
  const options = found.value ?? [];
  const isOpen = q !== '' && found.value !== null;
  return (
    <div class="compare-add">
      <input
        ref={input}
        type="text"
        class="field"
        role="combobox"
        aria-label="Add a run"
        aria-expanded={isOpen}
        aria-controls="compare-found"
        aria-activedescendant={isOpen && options.length > 0 ? `compare-found-${active.value}` : undefined}
        placeholder={isFull ? `${COMPARED_RUNS_MAX} runs at most` : 'add a run'}
        disabled={isFull}
        autocomplete="off"
        spellcheck={false}
        maxLength={TYPED_CHARS_MAX}
        value={typed.value}
        onInput={(event) => {
          typed.value = event.currentTarget.value;
        }}
        onKeyDown={(event) => {
          const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
          if (by !== 0) {
            event.preventDefault();
            active.value = Math.max(0, Math.min(options.length - 1, active.value + by));
          } else if (event.key === 'Enter') add(options[active.value]);
          else if (event.key === 'Escape') {
            typed.value = '';
            input.current?.blur();
          }
        }}
      />
      <div id="compare-found" class="compare-found" role="listbox" aria-label="Runs found" hidden={!isOpen}>
        {options.map((run, at) => (
          // The keys are those of the box, as for every list of this kind.
          // biome-ignore lint/a11y/useKeyWithClickEvents: see above
          <div
            key={run.key}
            id={`compare-found-${at}`}
            role="option"
            tabIndex={-1}
            aria-selected={at === active.value}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => add(run)}
          >
            <bdi>{run.key}</bdi> {run.task !== null && <bdi class="dim">{visibleText(run.task)}</bdi>}
          </div>
        ))}
        {isOpen && options.length === 0 && (
          <div role="option" tabIndex={-1} aria-selected={false} aria-disabled={true} class="dim">
            no other run has this in its name
          </div>
        )}
      </div>
    </div>
  );
}
