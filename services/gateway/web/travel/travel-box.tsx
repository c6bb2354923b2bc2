import { type Signal, useSignal } from '@preact/signals';
import { findSeq, lastMsOf } from '../run/find-seq.ts';
import type { RunScreen } from '../run/run-screen.ts';
import { type Goal, goalOf, goalText } from '../shell/go-to.ts';
import { useModal } from '../shell/use-modal.ts';

const TYPED_CHARS_MAX = 40;

/** Asks for the event or the time to travel to. `isOpen` is set by whoever opens it, and by the box when it closes. */
export function TravelBox({ screen, isOpen }: { screen: RunScreen; isOpen: Signal<boolean> }) {
  const close = () => {
    isOpen.value = false;
  };
  const modal = useModal({ isShown: isOpen.value, onClosed: close });
  return (
    <dialog
      class="travel-box"
      {...modal}
      aria-label="Travel to an event or a time"
      onPointerDown={(event) => {
        // A press on the backdrop is one on the dialog itself.
        if (event.target === event.currentTarget) close();
      }}
    >
      {isOpen.value && <TravelForm screen={screen} onDone={close} />}
    </dialog>
  );
}

function TravelForm({ screen, onDone }: { screen: RunScreen; onDone(): void }) {
  const typed = useSignal('');
  const fault = useSignal<string | null>(null);
  const isLooking = useSignal(false);
  const goal = goalOf(typed.value, { lastMs: lastMsOf(screen.run) });
  return (
    <form
      onSubmit={async (event) => {
        event.preventDefault();
        if (goal === null || isLooking.value) return;
        isLooking.value = true;
        fault.value = await travel(screen, goal);
        isLooking.value = false;
        if (fault.value === null) onDone();
      }}
    >
      <label>
        Show the run as it was at{' '}
        <input
          type="text"
          class="field"
          autofocus
          placeholder="9471 or 07:12:38"
          autocomplete="off"
          spellcheck={false}
          maxLength={TYPED_CHARS_MAX}
          value={typed.value}
          onInput={(event) => {
            typed.value = event.currentTarget.value;
            fault.value = null;
          }}
        />
      </label>
      <output class={fault.value === null ? 'dim' : 'bad'}>
        <bdi>{fault.value ?? (isLooking.value ? 'looking for it …' : hintOf(goal))}</bdi>
      </output>
    </form>
  );
}

const HINT = 'the number of an event, or a time (UTC), and then enter';

function hintOf(goal: Goal | null): string {
  return goal === null || goal.kind === 'address' ? HINT : `↵ ${goalText(goal)}`;
}

/** Returns why it cannot be travelled to, or null. */
async function travel(screen: RunScreen, goal: Goal): Promise<string | null> {
  if (goal.kind === 'address') return `that is neither; type ${HINT}`;
  const found = goal.kind === 'event' ? goal : await findSeq(screen.run, goal.ms);
  if (found.kind === 'fault') return found.sentence;
  screen.travelTo(found.seq);
  return null;
}
