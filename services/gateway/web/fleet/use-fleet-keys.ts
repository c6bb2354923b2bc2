import { formatRunKey } from '@runlog/schema/run/run-key';
import { useMemo, useRef } from 'preact/hooks';
import { groupings } from '../shell/address.ts';
import { setOptions } from '../shell/route.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { sortByNextColumn } from './fleet-columns.ts';
import type { FleetScreen } from './fleet-screen.ts';

interface FleetPlaces {
  open(key: string): void;
  /** Scrolls as little as needed to have a row in view, and gives the table the focus. */
  reveal(position: number): void;
  firstInView(): number;
}

/** The keys of the view. */
export function useFleetKeys(screen: FleetScreen, places: FleetPlaces): void {
  const { store, cursor, marks } = screen;
  const now = useRef(places);
  now.current = places;
  const act = useMemo(() => {
    const moveTo = (position: number) => {
      cursor.moveTo(position);
      const at = cursor.at.peek();
      if (at !== null) now.current.reveal(at.position);
    };
    const step = (by: number) => () => {
      const at = cursor.at.peek();
      moveTo(at === null ? now.current.firstInView() : at.position + by);
    };
    const withKey = (does: (key: string) => void) => () => {
      const row = cursor.at.peek()?.row ?? null;
      if (row !== null) does(formatRunKey(row));
    };
    return {
      next: step(1),
      previous: step(-1),
      first: () => moveTo(0),
      last: () => moveTo(Number.MAX_SAFE_INTEGER),
      open: withKey((key) => now.current.open(key)),
      mark: withKey((key) => marks.toggle(key)),
      compare() {
        store.flush();
        marks.compare();
      },
      sort: () => setOptions('fleet', { sort: sortByNextColumn(store.sort.peek()) }),
      reverse() {
        const sort = store.sort.peek();
        setOptions('fleet', { sort: sort.startsWith('-') ? sort.slice(1) : `-${sort}` });
      },
      group() {
        const by = store.by.peek();
        setOptions('fleet', {
          by: by === null ? groupings[0] : (groupings[groupings.indexOf(by) + 1] ?? null),
        });
      },
      release: () => store.release(),
    };
  }, [store, cursor, marks]);
  useShortcut('fleet.next', act.next);
  useShortcut('fleet.previous', act.previous);
  useShortcut('fleet.first', act.first);
  useShortcut('fleet.last', act.last);
  useShortcut('fleet.open', act.open);
  useShortcut('fleet.mark', act.mark);
  useShortcut('fleet.compare', act.compare);
  useShortcut('fleet.sort', act.sort);
  useShortcut('fleet.reverse', act.reverse);
  useShortcut('fleet.group', act.group);
  useShortcut('fleet.release', act.release);
}
