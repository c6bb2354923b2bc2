import { afterEach, describe, expect, it } from 'vitest';
import { fleetAddress, runAddress } from './address.ts';
import { goTo, linkTo, type RouteWindow, route, setOptions, startRoute } from './route.ts';

/** A window with a history, of which only the address matters. */
function madeUpWindow(first: string, search = ''): RouteWindow & { readonly steps: string[]; back(): void } {
  const steps = [first];
  const listeners = new Set<() => void>();
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
    addEventListener: (_type, listener) => void listeners.add(listener),
    removeEventListener: (_type, listener) => void listeners.delete(listener),
    back() {
      steps.pop();
      for (const listener of listeners) listener();
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
});
