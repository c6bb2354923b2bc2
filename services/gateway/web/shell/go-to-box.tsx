import { useSignal } from '@preact/signals';
import { useCallback, useRef } from 'preact/hooks';
import { findSeq, lastMsOf } from '../run/find-seq.ts';
import { type Goal, goalOf, goalText } from './go-to.ts';
import { goTo, setOptions } from './route.ts';
import { useShortcut } from './shortcuts.ts';
import { shownRun } from './top-bar-facts.ts';

const TYPED_CHARS_MAX = 200;

/** Goes to a run, to an event of the run that is shown, or to a time of it. */
export function GoToBox() {
  const input = useRef<HTMLInputElement>(null);
  const typed = useSignal('');
  const fault = useSignal<string | null>(null);
  const isLooking = useSignal(false);
  useShortcut(
    'find',
    useCallback(() => input.current?.focus(), []),
  );
  const goal = goalOf(typed.value, { lastMs: lastMsOf(shownRun.value) });
  const leave = () => {
    typed.value = '';
    fault.value = null;
    input.current?.blur();
  };
  return (
    <form
      class="go-to"
      onSubmit={async (event) => {
        event.preventDefault();
        if (goal === null || isLooking.value) return;
        isLooking.value = true;
        fault.value = await reach(goal);
        isLooking.value = false;
        if (fault.value === null) leave();
      }}
    >
      <input
        ref={input}
        type="text"
        class="field"
        placeholder="go to run, event or time"
        aria-label="Go to a run, an event or a time"
        autocomplete="off"
        spellcheck={false}
        maxLength={TYPED_CHARS_MAX}
        value={typed.value}
        onInput={(event) => {
          typed.value = event.currentTarget.value;
          fault.value = null;
        }}
        onKeyDown={(event) => {
          if (event.key === 'Escape') leave();
        }}
      />
      <kbd>/</kbd>
      {typed.value !== '' && (
        <output class={fault.value === null ? 'go-to-hint' : 'go-to-hint bad'}>
          <bdi>{fault.value ?? (isLooking.value ? 'looking for it …' : `↵ ${goalText(goal)}`)}</bdi>
        </output>
      )}
    </form>
  );
}

/** Returns why the goal cannot be reached, or null. */
async function reach(goal: Goal): Promise<string | null> {
  switch (goal.kind) {
    case 'address':
      goTo(goal.address);
      return null;
    case 'event':
      setOptions('run', { event: goal.seq });
      return null;
    case 'time':
      return await reachTime(goal.ms);
    default: {
      const unreachable: never = goal;
      throw new Error(`unknown goal ${String(unreachable)}`);
    }
  }
}

async function reachTime(ms: number): Promise<string | null> {
  const run = shownRun.peek();
  const found = await findSeq(run, ms);
  if (found.kind === 'fault') return found.sentence;
  if (shownRun.peek() === run) setOptions('run', { event: found.seq });
  return null;
}
