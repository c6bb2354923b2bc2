import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fleetAddress, runAddress } from './address.ts';
import { goTo, linkTo, type RouteWindow, route, setOptions, startRoute } from './route.ts';

/** A window with a history, of which only the address matters. */
function madeUpWindow(
  first: string,
  search = '',
): RouteWindow & { readonly steps: string[]; back(): void; tell(type: string): void } {
  const steps = [first];
  let listeners: { readonly type: string; readonly listener: () => void }[] = [];
  const tell = (type: string) => {
    for (const each of listeners) if (each.type === type) each.listener();
  };
  return {
    steps,
    location: {
      get hash() {
        const hash = steps.at(-1)!;
        return hash === '#' ? '' : hash;
      },
      search,
    },
    history: {
      pushState: (_data, _unused, url) => void steps.push(url),
      replaceState: (_data, _unused, url) => void steps.splice(-1, 1, url),
    },
    addEventListener: (type, listener) => void listeners.push({ type, listener }),
    removeEventListener(type, listener) {
      listeners = listeners.filter((each) => each.type !== type || each.listener !== listener);
    },
    tell,
    back() {
      steps.pop();
      tell('popstate');
    },
  };
}

let stop: () => void = () => undefined;
afterEach(() => stop());

function started(first: string, search?: string) {
  const window = madeUpWindow(first, search);
  stop = startRoute(window);
  return window;
}

describe('the route', () => {
  it('begins with the address of the window', () => {
    started('#c1/r1/default?at=7');
    expect(route.value).toEqual(runAddress('c1/r1/default', { at: 7 }));
  });

  it('takes a step for another view, and goes back to the one before', () => {
    const window = started('#?q=acc%3E80');
    goTo(runAddress('c1/r1/default'));
    expect(window.steps).toEqual(['#?q=acc%3E80', '#c1/r1/default']);
    window.back();
    expect(route.value).toEqual(fleetAddress({ q: 'acc>80' }));
  });

  it('takes no step for an option of the view that is shown, nor for what is shown already', () => {
    const window = started('#c1/r1/default');
    setOptions('run', { pane: 'proof' });
    setOptions('run', { pane: 'proof' });
    goTo(runAddress('c1/r1/default', { pane: 'proof' }));
    expect(window.steps).toEqual(['#c1/r1/default?pane=proof']);
    expect(route.value).toEqual(runAddress('c1/r1/default', { pane: 'proof' }));
  });

  it('leaves another view alone when a view that has gone sets its options', () => {
    const window = started('#');
    setOptions('run', { pane: 'proof' });
    expect(window.steps).toEqual(['#']);
    expect(route.value).toEqual(fleetAddress());
  });

  it('stays embedded, whether the query string says it or the address', () => {
    for (const [hash, search] of [
      ['#', '?embed=1'],
      ['#?embed=1', ''],
    ] as const) {
      started(hash, search);
      expect(route.value.embed).toBe(true);
      expect(linkTo(runAddress('c1/r1/default'))).toBe('#c1/r1/default?embed=1');
      goTo(runAddress('c1/r1/default'));
      expect(route.value).toEqual(runAddress('c1/r1/default', { embed: true }));
      stop();
    }
  });

  describe('while a key is held', () => {
    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });
    const select = (from: number, to: number) => {
      for (let event = from; event <= to; event += 1) setOptions('run', { event });
    };

    it('shows each step at once, and writes the newest into the address a few times a second', () => {
      const window = started('#c1/r1/default');
      const replaceState = vi.spyOn(window.history, 'replaceState');
      for (let second = 0; second < 3; second += 1) {
        select(30 * second + 1, 30 * second + 30);
        expect(route.value).toEqual(runAddress('c1/r1/default', { event: 30 * second + 30 }));
        vi.advanceTimersByTime(1_000);
      }
      expect(window.steps).toEqual(['#c1/r1/default?event=90']);
      expect(replaceState.mock.calls.length).toBeLessThanOrEqual(20);
      vi.advanceTimersByTime(6_000);
      expect(vi.getTimerCount()).toBe(0);
    });

    it.each(['pagehide', 'click'])('writes the newest before the page is left: %s', (type) => {
      const window = started('#c1/r1/default');
      select(1, 30);
      window.tell(type);
      expect(window.steps).toEqual(['#c1/r1/default?event=30']);
    });

    it('writes the newest into the step before the next one', () => {
      const window = started('#c1/r1/default');
      select(1, 30);
      goTo(fleetAddress());
      expect(window.steps).toEqual(['#c1/r1/default?event=30', '#']);
    });

    it('writes nothing into a step that is not its own', () => {
      const window = started('#');
      goTo(runAddress('c1/r1/default'));
      select(1, 30);
      window.back();
      vi.advanceTimersByTime(1_000);
      expect(window.steps).toEqual(['#']);
      expect(route.value).toEqual(fleetAddress());
    });
  });
});
